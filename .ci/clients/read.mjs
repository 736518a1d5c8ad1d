// Reads the whole sandbox by Stripe's library for Node.js. In: its URL and key. Out: how much it read; an error for each difference from
// what the sandbox said.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [url, key] = process.argv.slice(2);
const { hostname: host, port } = new URL(url);
const stripe = new Stripe(key, { host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });

/** What the sandbox says to a call of ours, without a library. */
async function said(path) {
  const headers = { authorization: `Bearer ${key}`, "stripe-version": stripe.getApiField("version") };
  const answer = await fetch(`${url}/v1${path}`, { headers });
  assert.equal(answer.status, 200, path);
  return answer.json();
}
const plain = (object) => JSON.parse(JSON.stringify(object));
let objects = 0;

/** Every page of a list, a few objects at a time, against pages of a hundred. */
async function whole(path, list, params = {}) {
  const expected = [];
  for (let page = { has_more: true }; page.has_more; expected.push(...page.data)) {
    const after = expected.length ? { starting_after: expected.at(-1).id } : {};
    page = await said(`${path}?${new URLSearchParams({ ...params, ...after, limit: "100" })}`);
  }
  const found = [];
  for await (const object of list({ ...params, limit: 7 })) found.push(plain(object));
  assert.deepEqual(found, expected, path);
  objects += found.length;
  return found;
}

const kinds = [
  ["/customers", stripe.customers], ["/products", stripe.products], ["/prices", stripe.prices],
  ["/product_catalog/trial_offers", stripe.productCatalog.trialOffers], ["/payment_links", stripe.paymentLinks],
  ["/payment_intents", stripe.paymentIntents], ["/setup_intents", stripe.setupIntents], ["/charges", stripe.charges],
  ["/refunds", stripe.refunds], ["/disputes", stripe.disputes], ["/subscriptions", stripe.subscriptions, { status: "all" }],
  ["/invoices", stripe.invoices], ["/invoice_payments", stripe.invoicePayments],
  ["/checkout/sessions", stripe.checkout.sessions], ["/payment_methods", stripe.paymentMethods], ["/events", stripe.events],
  ["/webhook_endpoints", stripe.webhookEndpoints],
];
const all = {};
for (const [path, resource, params] of kinds) {
  const found = await whole(path, (query) => resource.list(query), params);
  assert.ok(found.length >= 2, `${path}: there is something to read`);
  for (const { id } of found) assert.deepEqual(plain(await resource.retrieve(id)), await said(`${path}/${id}`), id);
  all[path] = found;
}
for (const { id } of all["/subscriptions"]) {
  await whole("/subscription_items", (query) => stripe.subscriptionItems.list(query), { subscription: id });
}
for (const { id } of all["/products"]) await whole(`/products/${id}/features`, (query) => stripe.products.listFeatures(id, query));
for (const { id } of all["/invoices"]) await whole(`/invoices/${id}/lines`, (query) => stripe.invoices.listLineItems(id, query));
for (const { id } of all["/checkout/sessions"]) {
  await whole(`/checkout/sessions/${id}/line_items`, (query) => stripe.checkout.sessions.listLineItems(id, query));
}
for (const { id } of all["/payment_links"]) {
  await whole(`/payment_links/${id}/line_items`, (query) => stripe.paymentLinks.listLineItems(id, query));
}

// What is embedded only when asked for.
for (const [path, resource, expand] of [
  ["/customers", stripe.customers, ["sources", "subscriptions"]],
  ["/prices", stripe.prices, ["currency_options", "product"]],
  ["/invoices", stripe.invoices, ["lines.data.discounts", "payments.data.payment", "customer"]],
  ["/checkout/sessions", stripe.checkout.sessions, ["total_details.breakdown", "line_items", "subscription", "customer"]],
  ["/subscriptions", stripe.subscriptions, ["customer", "latest_invoice", "discounts", "items.data.discounts"]],
  ["/product_catalog/trial_offers", stripe.productCatalog.trialOffers, ["end_behavior.transition.price"]],
]) {
  const query = new URLSearchParams(expand.map((field) => ["expand[]", field]));
  for (const { id } of all[path]) {
    if (all[path].find((object) => object.id === id).deleted) continue;
    assert.deepEqual(plain(await resource.retrieve(id, { expand })), await said(`${path}/${id}?${query}`), id);
  }
}
assert.deepEqual(plain(await stripe.accounts.retrieve()), await said("/account"));
await whole("/accounts", (query) => stripe.accounts.list(query));
await assert.rejects(stripe.subscriptions.retrieve("sub_of_nobody"), { code: "resource_missing", statusCode: 404 });
console.log(`stripe-node ${Stripe.PACKAGE_VERSION}: ${objects} objects`);
