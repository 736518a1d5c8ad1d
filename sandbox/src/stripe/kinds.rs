//! The kinds of objects Stripe has. In: a kind. Out: its names in URLs, messages, permissions and JSON.

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Customer,
    Product,
    Price,
    TrialOffer,
    PaymentLink,
    PaymentMethod,
    PaymentIntent,
    SetupIntent,
    Charge,
    Refund,
    Dispute,
    Subscription,
    Invoice,
    InvoicePayment,
    CheckoutSession,
    Event,
    WebhookEndpoint,
    PortalConfiguration,
}

/// How a kind is called in different places.
struct Names {
    object: &'static str,
    path: &'static str,
    id_param: &'static str,
    permission: &'static str,
}

const fn names(
    object: &'static str,
    path: &'static str,
    id_param: &'static str,
    permission: &'static str,
) -> Names {
    Names { object, path, id_param, permission }
}

impl Kind {
    /// All of them; each has a list and single objects in the API.
    pub(crate) const ALL: [Self; 18] = [
        Self::Customer,
        Self::Product,
        Self::Price,
        Self::TrialOffer,
        Self::PaymentLink,
        Self::PaymentMethod,
        Self::PaymentIntent,
        Self::SetupIntent,
        Self::Charge,
        Self::Refund,
        Self::Dispute,
        Self::Subscription,
        Self::Invoice,
        Self::InvoicePayment,
        Self::CheckoutSession,
        Self::Event,
        Self::WebhookEndpoint,
        Self::PortalConfiguration,
    ];

    const fn names(self) -> Names {
        match self {
            Self::Customer => names("customer", "/customers", "id", "customer"),
            Self::Product => names("product", "/products", "id", "product"),
            Self::Price => names("price", "/prices", "price", "plan"),
            // Which permission it needs is not documented; it is about prices.
            Self::TrialOffer => {
                names("product_catalog.trial_offer", "/product_catalog/trial_offers", "trial_offer", "plan")
            }
            Self::PaymentLink => names("payment_link", "/payment_links", "payment_link", "payment_link"),
            Self::PaymentMethod => {
                names("payment_method", "/payment_methods", "payment_method", "payment_method")
            }
            Self::PaymentIntent => names("payment_intent", "/payment_intents", "intent", "payment_intent"),
            Self::SetupIntent => names("setup_intent", "/setup_intents", "intent", "setup_intent"),
            Self::Charge => names("charge", "/charges", "id", "charge"),
            Self::Refund => names("refund", "/refunds", "id", "charge"),
            Self::Dispute => names("dispute", "/disputes", "dispute", "dispute"),
            Self::Subscription => names("subscription", "/subscriptions", "id", "subscription"),
            Self::Invoice => names("invoice", "/invoices", "invoice", "invoice"),
            Self::InvoicePayment => names("invoice_payment", "/invoice_payments", "id", "invoice"),
            Self::CheckoutSession => {
                names("checkout.session", "/checkout/sessions", "session", "checkout_session")
            }
            Self::Event => names("event", "/events", "id", "event"),
            Self::WebhookEndpoint => {
                names("webhook_endpoint", "/webhook_endpoints", "webhook_endpoint", "webhook")
            }
            Self::PortalConfiguration => names(
                "billing_portal.configuration",
                "/billing_portal/configurations",
                "configuration",
                "customer_portal",
            ),
        }
    }

    /// The `object` field.
    pub(crate) fn object(self) -> &'static str {
        self.names().object
    }

    /// Below `/v1`.
    pub(crate) fn path(self) -> &'static str {
        self.names().path
    }

    /// What error messages call the id in the URL.
    pub(crate) fn id_param(self) -> &'static str {
        self.names().id_param
    }

    /// The word in `rak_…_read`, the permission that a restricted key needs.
    pub(crate) fn permission(self) -> &'static str {
        self.names().permission
    }

    /// Whether the kind sells lines, which are a list below it.
    pub(crate) fn has_line_items(self) -> bool {
        matches!(self, Self::PaymentLink | Self::CheckoutSession)
    }
}
