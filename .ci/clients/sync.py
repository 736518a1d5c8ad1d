"""Mirrors the whole sandbox by dj-stripe, into a database in memory. In: its URL and key. Out: how much it mirrored; an error for what it
could not take, or did not find."""

import importlib.metadata
import io
import json
import sys
import urllib.request

import django
import stripe
from django.conf import settings
from django.core.management import call_command

URL, KEY = sys.argv[1:]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    STRIPE_TEST_SECRET_KEY=KEY,
    STRIPE_LIVE_MODE=False,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="of a database in memory",
    USE_TZ=True,
    # Tables as they are now: the way there takes minutes.
    MIGRATION_MODULES={"djstripe": None, "auth": None, "contenttypes": None},
)
stripe.api_base = URL
stripe.max_network_retries = 0
django.setup()
call_command("migrate", run_syncdb=True, verbosity=0)

from djstripe import models  # noqa: E402  (only after setup)
from djstripe.settings import djstripe_settings  # noqa: E402

MIRRORED = {
    "Account": None, "Product": "/products", "Price": "/prices", "Customer": "/customers", "PaymentMethod": None,
    "PaymentIntent": "/payment_intents", "SetupIntent": "/setup_intents", "Charge": "/charges", "Refund": "/refunds",
    "Dispute": "/disputes", "Subscription": "/subscriptions", "Invoice": "/invoices", "Session": "/checkout/sessions",
    "Event": "/events",
}
out, errors = io.StringIO(), io.StringIO()
call_command("djstripe_sync_models", *MIRRORED, stdout=out, stderr=errors)
problems = errors.getvalue()
assert not problems, problems


def ids(path):
    """The ids of all that the sandbox lists, without a library."""
    found, more = [], True
    status = "status=all&" if path == "/subscriptions" else ""
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": djstripe_settings.STRIPE_API_VERSION}
    while more:
        after = f"&starting_after={found[-1]}" if found else ""
        request = urllib.request.Request(f"{URL}/v1{path}?{status}limit=100{after}", headers=headers)
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)
        found += [each["id"] for each in page["data"]]
        more = page["has_more"]
    return set(found)


count = 0
for name, path in MIRRORED.items():
    mirrored = set(getattr(models, name).objects.values_list("id", flat=True))
    assert mirrored, f"no {name} was mirrored"
    count += len(mirrored)
    missing = ids(path) - mirrored if path else set()
    assert not missing, f"{name}: {sorted(missing)} were not mirrored"
print(f"dj-stripe {importlib.metadata.version('dj-stripe')}: {count} objects")
