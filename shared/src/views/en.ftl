# What Nexrole says, in English. A message is one line but for its choices: Fluent keeps line breaks, and a reply has its own.

more-than-fits = There is more than fits here: `nexrole doctor`, `nexrole map list`.

status-title = Nexrole in this server
status-not-set-up = Nexrole is not set up in this server.
status-how-to-set-up = The operator connects Stripe to it by setting `GUILD_ID`, `STRIPE_SECRET_KEY` and `STRIPE_WEBHOOK_SECRET`, then maps a price to a role.
status-stripe-read = Stripe: { $connections ->
    [one] 1 connection
   *[other] { $connections } connections
}, last read { $at }
status-stripe-unread = Stripe: { $connections ->
    [one] 1 connection
   *[other] { $connections } connections
}, nothing read yet
status-mapped = Mapped to roles: { $count ->
    [one] 1 price or product
   *[other] { $count } prices or products
}
status-paying = Paying: { $count ->
    [one] 1 subscription
   *[other] { $count } subscriptions
}
status-held = Roles held because of Nexrole: { $count }
status-moving = On their way: { $changes ->
    [one] 1 role change
   *[other] { $changes } role changes
}, { $unread } to read from Stripe
status-absent = Not in this Stripe account: { $count ->
    [one] 1 object
   *[other] { $count } objects
} that an event named (a test event, or another account's)
status-up-to-date = Everything is up to date.
status-to-look-at = To look at
status-refused = { $refusal }. Role changes wait, and are tried again { $until }, or when the bot is invited.
status-nothing-mapped = No price is mapped to a role yet: nobody can get one.
status-unlinked = { $count ->
    [one] 1 paid subscription
   *[other] { $count } paid subscriptions
} of people who are not linked to a Discord member.
status-stripe-trouble = Stripe cannot be read: { $trouble }. Nobody loses a role by that.
status-stripe-failing = { $count ->
    [one] 1 read
   *[other] { $count } reads
} from Stripe did not work, others do: { $failure }. Nobody loses a role by that.
status-dispute = Customer { $customer } is linked to { $holder }, but its metadata at Stripe names { $named }. If the metadata is right, the operator runs `nexrole link remove`; otherwise correct it at Stripe.
status-more-disputes = { $count } more customers are linked to others than their metadata names: `nexrole doctor`.
status-unbacked = { $roles ->
    [one] 1 role
   *[other] { $roles } roles
} given for purchases on a Stripe account, or in a mode, that is not connected any more ({ $customers }{ $more ->
    [0] {""}
   *[other] {" and "}{ $more } more
}): not counted as paying, and nothing will show an end. `nexrole link remove` ends what a customer gives.
status-observed = { $count ->
    [one] 1 role is
   *[other] { $count } roles are
} only observed, because members held it before: nothing is changed until the operator turns it on (`nexrole map preview`, then `nexrole map enforce`).
status-suspended = { $role } is suspended: { $danger }. Nobody is given it; who has it keeps it while they pay. { $remedy }.
status-more-suspended = { $count } more are suspended too: `nexrole map list`.
status-deleted = Role { $role } was deleted in Discord: nobody can be given it. The operator maps another one to what it was sold by (`nexrole map add`).
status-more-deleted = { $count } more were deleted too: `nexrole map list`.
status-taken = { $count ->
    [one] 1 role was
   *[other] { $count } roles were
} taken from paying members at Discord, not by Nexrole: by a person or another bot. It is left so until they buy again (`nexrole why` says when it was seen).
status-unmanageable = Discord does not let Nexrole manage { $count ->
    [one] 1 role
   *[other] { $count } roles
}: give it **Manage Roles**, and move its own role above them (Server Settings, Roles).
status-two-factor = Discord does not let Nexrole manage { $count ->
    [one] 1 role
   *[other] { $count } roles
}: this server wants two-factor authentication of its moderators, and the owner of the bot's application must turn it on for their own account.
status-waiting = { $count ->
    [one] 1 role change
   *[other] { $count } role changes
} waiting: for the member to join, or for the above.
