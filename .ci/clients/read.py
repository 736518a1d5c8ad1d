"""Reads the whole sandbox by Stripe's library for Python. In: its URL and key. Out: how much it read; an error for each difference from
what the sandbox said."""

import json
import sys
import urllib.parse
import urllib.request

import stripe

URL, KEY = sys.argv[1:]
client = stripe.StripeClient(KEY, base_addresses={"api": URL}, max_network_retries=0)
V1 = client.v1
COUNT = 0


def said(path, params=()):
    """What the sandbox says to a call of ours, without a library."""
    query = urllib.parse.urlencode(params)
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": stripe.api_version}
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/v1{path}?{query}", headers=headers)) as answer:
        return json.load(answer)


def plain(thing):
    """A library's object as JSON has it."""
    if isinstance(thing, stripe.StripeObject):
        thing = thing.to_dict()
    return json.loads(json.dumps(thing, default=str))


def same(found, expected, what):
    assert found == expected, f"{what} differs:\n{json.dumps(found, indent=1)}\n{json.dumps(expected, indent=1)}"


def whole(path, service, params=None):
    """Every page of a list, a few objects at a time, against pages of a hundred."""
    global COUNT
    params = params or {}
    expected, more = [], True
    while more:
        after = {"starting_after": expected[-1]["id"]} if expected else {}
        page = said(path, {**params, **after, "limit": 100})
        expected += page["data"]
        more = page["has_more"]
    found = [plain(each) for each in service.list(params={**params, "limit": 7}).auto_paging_iter()]
    same(found, expected, path)
    COUNT += len(found)
    return found


KINDS = [
    ("/customers", V1.customers), ("/products", V1.products), ("/prices", V1.prices),
    ("/product_catalog/trial_offers", V1.product_catalog.trial_offers), ("/payment_links", V1.payment_links),
    ("/payment_intents", V1.payment_intents), ("/setup_intents", V1.setup_intents), ("/charges", V1.charges),
    ("/refunds", V1.refunds), ("/disputes", V1.disputes), ("/subscriptions", V1.subscriptions), ("/invoices", V1.invoices),
    ("/invoice_payments", V1.invoice_payments), ("/checkout/sessions", V1.checkout.sessions),
    ("/payment_methods", V1.payment_methods), ("/events", V1.events), ("/webhook_endpoints", V1.webhook_endpoints),
]
EXPAND = {
    "/customers": ["sources", "subscriptions"],
    "/prices": ["currency_options", "product"],
    "/invoices": ["lines.data.discounts", "payments.data.payment", "customer"],
    "/checkout/sessions": ["total_details.breakdown", "line_items", "subscription", "customer"],
    "/subscriptions": ["customer", "latest_invoice", "discounts", "items.data.discounts"],
    "/product_catalog/trial_offers": ["end_behavior.transition.price"],
}
for path, service in KINDS:
    found = whole(path, service, {"status": "all"} if path == "/subscriptions" else None)
    assert len(found) >= 2, f"{path}: there is something to read"
    for each in found:
        at = f"{path}/{each['id']}"
        same(plain(service.retrieve(each["id"])), said(at), at)
        expand = [] if each.get("deleted") else EXPAND.get(path, [])
        if expand:
            expanded = plain(service.retrieve(each["id"], params={"expand": expand}))
            same(expanded, said(at, [("expand[]", field) for field in expand]), f"{at} expanded")
same(plain(V1.accounts.retrieve_current()), said("/account"), "/account")
whole("/accounts", V1.accounts)
try:
    V1.subscriptions.retrieve("sub_of_nobody")
except stripe.InvalidRequestError as error:
    same([error.http_status, error.code], [404, "resource_missing"], "an error")
else:
    raise AssertionError("sub_of_nobody is there")
print(f"stripe-python {stripe.VERSION}: {COUNT} objects")
