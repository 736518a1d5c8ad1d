// Fills the sandbox of Stripe with at least two of each kind of object. In: the URL of its control. Out: a key that reads all of it.
const control = process.argv[2];

async function tell(path, body = {}, method = "POST") {
  const answer = await fetch(`${control}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
const made = async (path, body) => (await tell(path, body)).id;

for (const shop of ["Gold", "Silver"]) {
  const product = await made("/products", { name: shop, metadata: { shop } });
  await tell(`/products/${product}/features`, { lookup_key: shop.toLowerCase() });
  const monthly = await made("/prices", { product, unit_amount: 900 });
  const yearly = await made("/prices", { product, unit_amount: 9900, currency: "eur", interval: "year" });
  const once = await made("/prices", { product, unit_amount: 4900, type: "one_time" });
  const cheap = await made("/prices", { product, unit_amount: 100 });
  const offer = await made("/trial_offers", { price: cheap, transition_price: monthly });
  const link = await made("/payment_links", { price: monthly, redirect_url: "https://shop.example/thanks" });

  const customer = await made("/customers", { email: `${shop}@example.com`, name: shop, metadata: { discord_user_id: "7" } });
  await tell("/subscriptions", { customer, prices: [monthly, cheap] });
  await tell("/subscriptions", { customer, prices: [yearly], status: "trialing" });
  await tell("/subscriptions", { customer, prices: [], trial_offers: [offer] });
  const paused = await made("/subscriptions", { customer, prices: [monthly] });
  await tell(`/subscriptions/${paused}/pause`, { cause: "pause_requested" });
  const ends = await made("/subscriptions", { customer, prices: [monthly] });
  await tell(`/subscriptions/${ends}/portal_cancel`);
  const canceled = await made("/subscriptions", { customer, prices: [monthly] });
  await tell(`/subscriptions/${canceled}`, {}, "DELETE");

  const behind = await made("/customers", { email: `late-${shop}@example.com` });
  const owes = await made("/subscriptions", { customer: behind, prices: [monthly] });
  await tell(`/customers/${behind}/payer`, { payer: "declines" });
  await tell(`/subscriptions/${owes}/invoices`);
  const gone = await made("/customers", { email: `gone-${shop}@example.com` });
  await tell(`/customers/${gone}`, {}, "DELETE");

  await tell(`/payment_links/${link}/buy`, { email: `link-${shop}@example.com` });
  const sessions = [];
  for (const [prices, more] of [[[once], {}], [[once], { payment: "pending" }], [[monthly, once], {}]]) {
    const session = await made("/checkout/sessions", { prices, customer });
    sessions.push(await tell(`/checkout/sessions/${session}/complete`, more));
  }
  const setup = await made("/checkout/sessions", { mode: "setup", customer });
  await tell(`/checkout/sessions/${setup}/complete`);
  const expired = await made("/checkout/sessions", { prices: [once] });
  await tell(`/checkout/sessions/${expired}/expire`);
  const payment = sessions[0].payment_intent;
  await tell("/refunds", { payment_intent: payment, amount: 100 });
  await tell("/disputes", { payment_intent: payment });
  await tell("/webhook_endpoints", { url: "http://127.0.0.1:9/nobody", secret: `whsec_${shop}` });
}
// A secret key as long as Stripe's are: dj-stripe takes no other.
console.log((await tell("/keys", { prefix: "sk_test" })).key);
