# What Nexrole says, in English. A message is one line but for its choices: Fluent keeps line breaks, and a reply has its own.

more-than-fits = There is more than fits here: `nexrole doctor`, `nexrole map list`.

nobody = nobody
nothing-yet = nothing yet

# Whose a purchase is.
dispute = is linked to { $holder }, but its metadata at Stripe names { $named }
dispute-fix = If the metadata is right: `nexrole link remove --guild { $guild } { $customer }`; otherwise correct it at Stripe
customers = { $named }{ $more ->
    [0] {""}
   *[other] {" and "}{ $more } more
}
finding-dispute = server { $guild }: { $customer } { $dispute }
finding-unbacked = server { $guild }: { $roles } role(s) given for { -unbacked }: { $customers }. They do not count as paying, and nothing will show their end
finding-unbacked-fix = nexrole link remove --guild { $guild } --customer … ends what a customer gives; or connect the account again
-unbacked = purchases on a Stripe account, or in a mode, that is not connected any more

# What is said of a role.
-deleted = was deleted in Discord: nobody can be given it.
-suspended = Nobody is given it; who has it keeps it while they pay.

# What Discord refuses.
server-refused-removed = Discord says that the bot was removed from this server
server-refused-unknown = Discord says that it does not know this server (code { $code })
server-refused-no-access = Discord says that the bot has no access to this server (code { $code })
server-refused = Discord refuses what is asked for this server (status 403, code { $code })
held-up-refused = { $refusal }: tried again { $until }, or when the bot is invited
held-up-told-to-wait = Discord told the bot to wait with calls for this server: the next one { $until }
role-refused-two-factor = Discord wants two-factor authentication of this server's moderators (code 60003): the owner of the bot's application turns it on for their own account
role-refused = Discord does not let the bot manage it (status 403, code { $code })
role-refused-rank = Discord does not let the bot manage it (code 50013): it needs Manage Roles, and the role must be below its own

# /status
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
status-trials-repeated = In a trial, and not for the first time: { $count ->
    [one] 1 subscription
   *[other] { $count } subscriptions
}
status-held = Roles held because of Nexrole: { $count }
status-moving = On their way: { $changes ->
    [one] 1 role change
   *[other] { $changes } role changes
}, { $unread } to read from Stripe
status-listing = At Stripe, { $list }
status-absent = Not in this Stripe account: { $count ->
    [one] 1 object
   *[other] { $count } objects
} that an event named (a test event, or another account's)
status-up-to-date = Everything is up to date.
status-attention = Needs attention
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
status-webhooks-silent = Stripe's webhooks { $since }: polling found { $count ->
    [one] 1 event
   *[other] { $count } events
} that they did not bring. Roles follow, up to ten minutes late. In Stripe, Workbench, Webhooks: is the endpoint there, is its address the one that `nexrole connections` shows, and did its deliveries fail?
status-webhooks-since = have not brought everything since { $at }
status-webhooks-never = have brought nothing yet
status-dispute = Customer { $customer } { $dispute }. If the metadata is right, the operator runs `nexrole link remove`; otherwise correct it at Stripe.
status-more-disputes = { $count } more customers are linked to others than their metadata names: `nexrole doctor`.
status-unbacked = { $roles ->
    [one] 1 role
   *[other] { $roles } roles
} given for { -unbacked } ({ $customers }): not counted as paying, and nothing will show an end. `nexrole link remove` ends what a customer gives.
status-observed = { $count ->
    [one] 1 role is
   *[other] { $count } roles are
} only observed, because members held it before: nothing is changed until the operator turns it on (`nexrole map preview`, then `nexrole map enforce`).
status-suspended = { $role } is suspended: { $danger }. { -suspended } { $remedy }.
status-more-suspended = { $count } more are suspended too: `nexrole map list`.
status-deleted = Role { $role } { -deleted } The operator maps another one to what it was sold by (`nexrole map add`).
status-more-deleted = { $count } more were deleted too: `nexrole map list`.
status-given-by-hand = { $count ->
    [one] 1 role was
   *[other] { $count } roles were
} given by hand to members who pay now, and will stay when the payment ends: `nexrole follow` asks whether that is meant.
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
status-to-answer = { $count ->
    [one] 1 role is
   *[other] { $count } roles are
} not taken until the owner agrees, because so many within a day may be a mistake: `nexrole held` shows from whom, and why.
status-waiting = { $count ->
    [one] 1 role change
   *[other] { $count } role changes
} waiting: for the member to join, or for the above.

# nexrole why
member = Member { $member } of server { $guild }
member-closed = { $closed }
explain-role = Role { $role }: { $answer }
explain-no-role = No role, because { $cause }
explain-also = Also: { $cause }
explain-has = has it because { $cause }
explain-will-lose = will lose it on { $at } because { $cause }
explain-loses = loses it as soon as the bot has taken it, because { $cause }
explain-lacks = lacks it because { $cause }
explain-may-have = may have it or not: { $cause }
explain-keeps = keeps it, though nothing gives it any more, because { $cause }
explain-next = Next: { $fix }
explain-next-at = Next, { $at }: { $fix }
cause-sources = { $each }
cause-by-person = a person gave it at Discord, not Nexrole
cause-by-person-open = a person gave it at Discord; whether it follows the payment is not answered yet, and until then it stays when the payment ends
cause-by-person-follow = a person gave it at Discord; it is to follow the payment, by the owner's answer
cause-by-person-keep = a person gave it at Discord; it stays when the payment ends, by the owner's answer
cause-not-in-server = the member is not in the server
cause-refused = { $refusal }
cause-deleted = the role was deleted in Discord
cause-suspended = the role is suspended: { $danger }
cause-observed = the role is only observed: nothing is given and nothing is taken
cause-unchecked = the bot has not checked yet who holds the role
cause-taken = somebody took it from them at Discord, not Nexrole; that was seen { $at }
cause-held = taking it is held until the owner agrees: so many within a day may be a mistake
cause-closed = { $closed }
cause-doubted = Discord said { $at } that member or role is not there; it is asked once more
cause-waits = its turn has not come yet
cause-waits-again = { $outcome } (tried { $attempts ->
    [one] once
   *[other] { $attempts } times
} in vain)
cause-nothing-waits = nothing waits to be done, and Nexrole did not give it
cause-never-linked = no Stripe customer is linked to this member, and nothing was given to them
cause-link-conflict = customer { $customer } { $dispute }
cause-not-mapped = { $id } is of { $prices }, which is mapped to no role
cause-for-another = { $id } is { $member }'s: its own metadata at Stripe names them, and counts first
cause-unread = Stripe said that something about { $id } changed, and it is not read yet
cause-unread-failed = Stripe said that something about { $id } changed, and it could not be read: { $error }
cause-nothing-bought = customer { $customer } is linked, and nothing that they bought was heard of; Stripe's list of events was last read { $at }
cause-nothing-read = customer { $customer } is linked, and Stripe's list of events was not read yet
cause-disconnected = customer { $customer } is of a Stripe account ({ $mode } mode) that is not connected any more
why-evidence = { $evidence }
why-trial = { $source } is in a trial, to { $at }
why-since = { $why }, since { $since }
why-failed = a payment of { $source } failed and is waited for
why-paused-at-failure = { $source } is paused since a payment failed, which is waited for
why-collection-paused = { $evidence }, though its invoices are not collected ({ $behaviour }), without an end
why-collection-paused-until = { $evidence }, though its invoices are not collected ({ $behaviour }) until { $at }
why-ending = { $source } was cancelled and runs to { $at }
why-by-hand = { $by } gave it by hand
why-missing = { $evidence }, as last read; the Stripe account that is connected has no such subscription since { $since }, so it does not count as paying, and does not end by itself
why-disconnected = { $evidence }, as last read; bought in { $mode } mode on a Stripe connection that is not connected any more, so it does not count as paying, and does not end by itself
why-disputed = the payment of { $source } is disputed
why-dispute-lost = the payment of { $source } was disputed, and the customer has the money
why-refunded = { $source } was refunded
why-unpaid = { $source } is unpaid, and Stripe has stopped trying
why-not-paid = the first payment of { $source } has not come
why-over = a payment of { $source } was due since { $since }, for longer than the role is kept
why-not-mapped = nothing in { $source } is mapped to the role any more
why-anothers = { $source } is { $member }'s
why-nobodys = { $source } is not theirs any more
step = { $at }  { $what }
step-now = { $what }
step-linked = customer { $customer } became theirs by its metadata at Stripe
step-linked-owner = customer { $customer } became theirs by the owner's word
step-linked-checkout = customer { $customer } became theirs: they claimed it after paying
step-linked-email = customer { $customer } became theirs: they read mail to the address that Stripe has of it
step-linked-moved = customer { $customer } became theirs: another account gave it to them, by the word of both
step-first = first known: { $cause }
step-heard = Stripe said { $kind } ({ $event }); it came { $received }
step-done = by { $actor }: { $cause }
step-read = { $id } of { $customer } was read from Stripe: { $status }
step-read-guest = { $id } of a guest was read from Stripe: { $status }
step-rule = { $sold }, as mapped: { $state }={ $rule }
step-live = a reason to have it: { $evidence }
step-ended = no reason any more: { $evidence }
step-reason = the reason: { $reason }
step-until = ends by itself { $until }
step-question = a person had given it; whether it is to follow the payment is asked
step-question-follow = a person had given it; it is to follow the payment, by the owner's answer
step-question-keep = a person had given it; it stays when the payment ends, by the owner's answer
step-desired = so it is to be there
step-not-desired = so nothing gives it
step-job = job { $id }, { $action }: { $state }, { $outcome }
step-not-tried = not tried yet
step-next-try = next try { $at }
step-due = due since { $at }, when the bot runs and has done what is before it
step-pending = joined, and has not accepted the server's rules yet
answered-asked = Discord was asked to give it; its answer is not known yet
answered-gave = given, and Discord confirmed that
answered-took = taken; checked once more, to see that it stays away
answered-deleted = was deleted in Discord: nobody has it any more
answered-absent = not there, said Discord: it is asked once more
answered-taken = taken from them at Discord, not by us
answered-refused = { $refusal }
answered-logged = { $action }: { $cause }
fix-nothing = nothing to do
fix-wait = it goes on by itself
fix-link = `nexrole link add --guild { $guild } --user { $member } --customer cus_…` links a customer, as does metadata at Stripe; `nexrole grant` gives a role by hand
fix-accepts = the member accepts the server's rules: until then Discord shows them nothing of what the role opens
fix-joins = the member joins the server, and is given it then; who cannot may be banned, of which Discord tells only bots that may see bans, and Nexrole asks for no such right (Server Settings, Bans)
fix-manage = that is put right in Discord (Server Settings, Roles), and it is tried again by itself
fix-two-factor = the owner of the bot's application turns it on for their own account, and it is tried again by itself
fix-map-another = `nexrole map list --guild { $guild }` says what to do
fix-danger = { $remedy }
fix-enforce = `nexrole map preview --guild { $guild } --role { $role }` shows what would change, and `nexrole map enforce --guild { $guild } --role { $role }` turns it on
fix-map-price = `nexrole map add --guild { $guild } --role … --price …` maps { $prices }
fix-give-back = `nexrole give-back --guild { $guild } --member { $member } --role { $role }`, if it is to be theirs
fix-answer = nexrole follow --guild { $guild } --member { $member } --role { $role } yes (or no)
fix-unbacked = connect the account again, or end it: `nexrole link remove --guild { $guild } { $customer }`
fix-pays = the member pays what is open at Stripe
fix-pays-here = the member pays what is open at Stripe: { $page }
fix-pays-old = the member pays what is open at Stripe; the address of that page was read too long ago to work for sure: open the invoice at Stripe, and send them the link to its payment page
fix-resume = it is resumed at Stripe
fix-buy = the member buys again, or is given it by hand: `nexrole grant --guild { $guild } --member { $member } --role { $role } --reason …`
fix-invite = invite the bot again, or give it access to the server
fix-held = the owner corrects the mistake, or answers: approve: `nexrole held approve --guild { $guild } --role { $role } --member { $member }`; or `discard`; `nexrole held` shows all
fix-reconnect = connect the account again: `nexrole connect --guild { $guild }`
member-trials = Trials: more than one
member-trial-first = { $subscription }, since { $since }
member-trial-repeated = { $subscription }, since { $since }, is not their first
member-trial-end = to { $at }
member-history = What happened, newest first
member-event = { $at }  { $action }   by { $actor }: { $cause }
member-event-of-role = { $at }  { $action }  role { $role }  by { $actor }: { $cause }

member-manage = Where they manage or cancel what they pay for: { $page }
member-notices = What they were told of payments that failed
member-notice = { $source }  { $kind }  { $state }
member-notice-due = due { $at }
member-notice-again = next try { $at }: { $why }
member-notice-sent = told { $at }
member-notice-unsure = perhaps told { $at }: { $why }
member-notice-not-told = not told: { $why }

# Messages to a member, of whom a payment failed. Roles and servers have their names there.
notice-roles = { $count ->
    [one] the role { $roles }
   *[other] the roles { $roles }
}
notice-more-roles = and { $more } more
notice-began-title = A payment of yours failed
notice-began = A payment for { $what } in the server { $server } did not go through. You keep { $count ->
    [one] the role
   *[other] the roles
} until { $end }.
notice-halfway-title = A payment of yours is still due
notice-halfway = The payment for { $what } in the server { $server } is still due. You keep { $count ->
    [one] the role
   *[other] the roles
} until { $end }.
notice-last-day-title = The last day for a payment of yours
notice-last-day = The payment for { $what } in the server { $server } is still due. Without it you lose { $count ->
    [one] the role
   *[other] the roles
} at { $end }.
notice-ended-title = A role of yours has ended
notice-ended = The payment for { $what } in the server { $server } did not come, so you do not have { $count ->
    [one] it
   *[other] them
} any more.
notice-restored-title = Your payment has arrived
notice-restored = The payment for { $what } in the server { $server } has arrived: { $count ->
    [one] the role is
   *[other] the roles are
} yours. Thank you!
notice-pay = Please update your card, or pay, with the seller. Nothing else is needed: { $count ->
    [one] the role stays by itself
   *[other] the roles stay by themselves
} once the payment is there.
notice-pay-again = If you pay with the seller after all, or buy it again, { $count ->
    [one] the role comes back by itself
   *[other] the roles come back by themselves
}.
notice-pay-here = Please pay on this page of Stripe's: { $page }
notice-nothing-else = Nothing else is needed: { $count ->
    [one] the role stays by itself
   *[other] the roles stay by themselves
} once the payment is there.
notice-pay-again-here = If you pay after all, or buy it again, { $count ->
    [one] the role comes back by itself
   *[other] the roles come back by themselves
}. Stripe's page for the payment: { $page }
notice-pay-old = The address of the invoice's page that is known here may not work any more: take the one in the seller's e-mail about the invoice, or ask them for another.
notice-manage = To manage or cancel what you pay for: { $page }
notice-from = This is an automatic message; nobody reads answers to it.

# nexrole notices
notices-on = Members are told when a payment of theirs failed, before it costs them a role, and how it ends.
notices-off = Members are told nothing when a payment of theirs fails. What was to be told from now on is not sent later either.
notices-already-on = It was so already: members are told when a payment of theirs failed.
notices-already-off = It was so already: members are told nothing when a payment of theirs fails.

# nexrole held
held-none = Nothing is held in server { $guild }.
held-role = Role { $role } is not taken from { $count } member(s) until you agree
held-since = since { $at }
held-why = { $why }
held-cause = { $cause }: { $count }
held-member = member { $member }
held-more = and { $count } more
held-if-mistake = If it is a mistake, correct it (a mapping, a policy, the subscriptions at Stripe): who is due to have the role keeps it, and is not held any more.
held-approve = To have it taken from them: `nexrole held approve --guild { $guild } --role …`, with `--member …` from one of them.
held-discard = To leave it to them, whatever they pay: `nexrole held discard --guild { $guild } --role …`, with `--member …` to one of them.
held-approved = Approved. { $count } member(s) lose role { $role }, as soon as the bot has taken it.
held-discarded = Discarded. { $count } member(s) keep role { $role }, as given by hand, whatever they pay: `nexrole revoke --guild { $guild }` ends it for each.
finding-unsold = server { $guild }: Stripe does not sell { $sold } any more, all that is mapped to role { $role }: deleted, archived, or the key is another account's. { $members } member(s) keep it as long as they pay
finding-unsold-fix = If that is meant, nothing is to be done. Otherwise sell it again, or connect the right account; what is sold instead: nexrole map add --guild { $guild } --role { $role } --price …
finding-held = server { $guild }: { $jobs } role change(s) of { $roles } role(s) are held: so many within a day may be a mistake
finding-held-fix = nexrole held --guild { $guild } shows from whom and why, and how to answer

# nexrole map list
mappings-held-up = Nothing is changed in this server at the moment. { $why }.
mappings-none = Nothing is mapped yet: nexrole map add --guild { $guild } --price price_… --role …
mapping = role { $role }  { $state }
mapping-deleted = { -deleted } Map another role to what it was sold by (`nexrole map add`)
mapping-replaced = was deleted in Discord; what it was sold by gives another role
mapping-unseen = waits for the bot to check who holds it
mapping-observed-holders = only observed ({ $holders } had it before): `nexrole map preview`, then `nexrole map enforce`
mapping-observed = only observed: `nexrole map enforce` turns it on
mapping-on = follows payments
mapping-suspended = SUSPENDED: { $danger }. { -suspended } { $remedy }.
mapping-refused = REFUSED: { $why }. Changes of it wait; tried again { $again }, or when roles change.
mapping-probe-due = as soon as the bot runs
mapping-sold = { $sold }

# nexrole members
members-without-role = Who pays and has no role, in server { $guild }
members-lack = { $count ->
    [one] 1 is
   *[other] { $count } are
} without a role because { $cause }
members-may-have = { $count } may have the role or not: { $cause }
members-payer-of-role = member { $member }  role { $role }  { $paid_by }
members-payer = member { $member }  { $paid_by }
members-not-mapped = what they pay for ({ $prices }) is mapped to no role
members-unread = something about what they pay for changed, and it is not read yet
members-unread-failed = something about what they pay for changed, and it could not be read
members-by-rule = what they pay for gives no role in the state that it is in, by the rules of its mapping
members-by-rule-fix = nothing, if that is meant; otherwise `nexrole map policy --guild { $guild } --role { $role } --price …` shows the rules, and changes them
members-taken = somebody took it from them at Discord, not Nexrole
members-doubted = Discord said that member or role is not there; it is asked once more
members-waits = { $outcome }
members-seen = seen { $at }
members-error = { $error }
members-more = and { $count } more: --limit { $limit } names all
members-next = Next: { $fix }
members-not-in-server = Who pays and is not in the server: left or banned, in server { $guild }
members-away = { $count ->
    [one] 1 pays for a role and is
   *[other] { $count } pay for a role and are
} not in the server
members-away-fix = whether they left or are banned Nexrole cannot tell: Discord shows bans only to bots that may see them, and Nexrole asks for no such right (look in Server Settings, Bans). Who is not to come back pays on until you cancel at Stripe what stands beside them; who comes back is given the role at once
members-with-role = Who has a paid role, and why, in server { $guild }
members-have = Role { $role }, { $by }: { $count ->
    [one] 1 member
   *[other] { $count } members
}
members-holder = member { $member }
members-reason = { $reason }
members-until = ends { $at }
held-by-paying = paying
held-by-ending = cancelled, and paid to the end
held-by-not-collected = a subscription whose invoices are not collected
held-by-trial = in a trial
held-by-grace = late with a payment that is waited for
held-by-once = bought once
held-by-unbacked = bought on a Stripe account, or in a mode, that is not connected any more
held-by-hand = given by hand by the operator
held-by-hand-of = given by hand by { $by }
held-by-import = imported: had it before Nexrole
held-by-seat = a seat of somebody's plan
held-by-person = given at Discord by a person, not by Nexrole
held-by-leaving = nothing gives it any more, and it is being taken
held-by-kept = nothing gives it any more, and it stays because { $cause }
members-before-title = Unknown: had it before it was mapped
members-before = role { $role }: { $count ->
    [one] 1 member
   *[other] { $count } members
}, not by Nexrole
members-before-fix = who they are, and who has it still, Discord's list of members says (Server Settings, Members, by role). Nexrole takes nothing from them; `nexrole import --guild { $guild } --role …` writes down who is to have it
members-unlinked = Who pays and is linked to no member, in server { $guild }
members-unlinked-mapped = { $count ->
    [one] 1 subscription or purchase gives a role, and is
   *[other] { $count } subscriptions or purchases give a role, and are
} nobody's
members-unlinked-fix = `nexrole link add --guild { $guild } --customer cus_… --user …`, or the metadata discord_user_id at Stripe. Where a key looks like a Discord id: `nexrole members metadata --guild { $guild }`
members-unlinked-other = { $count ->
    [one] 1 subscription or purchase is
   *[other] { $count } subscriptions or purchases are
} of what is mapped to no role, and nobody's
members-unlinked-other-fix = nothing, if it has nothing to do with Discord; otherwise map it: `nexrole map add`
members-customer = customer { $customer }  { $id }  { $status }  { $prices }
members-guest = a guest  { $id }  { $status }  { $prices }
members-has-keys = looks like a Discord id: { $keys }
members-paid-by-link = by the personal link of { $member }, who has not said yet that it was them
members-double = Who is charged more than once for the same, in server { $guild }
members-charged-twice = { $count ->
    [one] 1 person pays
   *[other] { $count } people pay
} for a role by more than one subscription
members-twice = member { $member }  role { $roles }  { $subscriptions }
members-customer-twice = customer { $customer }, who is no member  role { $roles }  { $subscriptions }
members-double-fix = ask them which one to keep; cancel the others at Stripe, and refund there what was paid twice. The role stays as long as one runs
members-fees = Of whose payments a platform takes a part, in server { $guild }
members-fees-taken = { $count ->
    [one] 1 subscription was
   *[other] { $count } subscriptions were
} made by a platform that takes a part of each payment (application_fee_percent)
members-fee = { $percent } %  { $subscription }  customer { $customer }, who is no member
members-fee-of = { $percent } %  { $subscription }  customer { $customer }  member { $member }
members-fees-fix = Nexrole takes none, and cannot change it: Stripe lets only that platform's application set it. It ends when that is set to 0, or with the subscription: have members subscribe anew by a payment link of your own, then cancel the old one
members-metadata = Metadata keys at Stripe whose values look like Discord ids, in server { $guild }
members-keys = Found in what is paid for
members-no-key = none
members-key-subscriptions = { $carry } of { $of } subscriptions carry { $key }
members-key-customers = { $carry } of { $of } customers carry { $key }
members-key-sessions = { $carry } of { $of } checkout sessions carry { $key }
members-key-unlinked = { $count } of them linked to nobody
members-key-ours = Nexrole reads this one
members-metadata-fix = Nexrole reads only discord_user_id, of a subscription or its customer. If another key names the buyer, copy its value there at Stripe, or `nexrole link add --guild { $guild } --customer cus_… --user …`. Values are not kept: look at one at Stripe first

# nexrole map policy
policy-of = { $sold } gives role { $role } while what was bought is
policy-rule = { $state }  { $rule }
policy-default = default
policy-not-default = the default is { $default }

policy-set-by-hand = Set. { $members } member(s) are being checked about whom `nexrole follow` asked.
policy-unchanged = It was so already.
policy-set = Set. { $concerned } known subscription(s) or purchase(s) are being read again.

# nexrole map preview
preview-deleted = Role { $role } { $deleted }.
preview-gain = Pay or were given it, and would have role { $role } (who has it by hand already keeps it)
preview-member = member { $member }
preview-unbacked = Would have it too, by { -unbacked }
preview-unbacked-fix = `nexrole why` says how to end it
preview-lose = Have it from Nexrole, and nothing gives it any more: would lose it
preview-unlinked = Pay, but are not linked to a Discord member
preview-customer = { $customer }
preview-unlinked-fix = nexrole link add
preview-others = Everybody else who has the role keeps it: Nexrole takes only what it gave.

# nexrole map add, map remove, map enforce
mapped-nobody = Mapped. Nobody is known to pay for it yet.
mapped = Mapped. { $concerned } known subscription(s) or purchase(s) are being read again.
mapped-already = It was mapped already.
mapped-other-policy = it is mapped already, and its states have other rules; nothing was changed: `nexrole map policy` shows and changes them
mapped-everyone = role { $role } is @everyone, which every member has; give the id of another role
mapped-at-first = If members hold the role already, it is only observed at first; if it gives power over the server, it is suspended: `nexrole map list --guild { $guild }`.
role-dangerous = role { $role } must not be given: { $danger }. { $remedy }
not-mapped = role { $role } is not mapped; `nexrole map list --guild { $guild }` shows those that are
not-mapped-by = { $sold } does not give role { $role }; `nexrole map list --guild { $guild }` shows what gives which
enforced = Role { $role } follows payments. { $members } member(s) are being checked.
enforced-deleted = But it { $deleted }.
enforced-suspended = But it is SUSPENDED: { $danger }. Nobody is given it. { $remedy }.
enforced-observed = Role { $role } is only observed: nothing is changed until it is turned on. A change under way in this moment may still be made.
unmap-lose = Have role { $role } from Nexrole by this alone: would lose it
unmap-observed = Role { $role } is only observed: nothing is taken while it is. Have it from Nexrole, by this alone
unmap-keep = Have it from Nexrole, and keep it: something else gives it, too
unmapped = Removed. { $members } member(s) lose role { $role }, as soon as the bot has taken it.
unmapped-observed = Removed. Role { $role } is only observed: nobody loses it, unless `nexrole map enforce` turns it on.

# nexrole grant, revoke, import
given = Given { $end }.
given-changed = It was given already; now { $end }.
given-already = It was given so already.
given-over = that end has passed; nothing was changed
given-on = The bot gives the role if the member does not have it.
given-unseen = The bot first checks who holds the role, as with every role that was just mapped.
given-observed = Role { $role } is only observed: nothing is changed until `nexrole map enforce --guild { $guild } --role { $role }` turns it on.
given-not-mapped = role { $role } is not mapped, so nobody checked yet who holds it and what it may do: first map what it is sold by, `nexrole map add --guild { $guild } --role { $role } …`
until = until { $until }
without-end = without an end
not-given = role { $role } was not given to member { $member } by hand
not-given-but-kept = role { $role } was not given to member { $member } by hand; they have it because { $sources }
taken-back = Taken back. Member { $member } loses role { $role } as soon as the bot has taken it; if they had it from somebody else, they keep it.
taken-back-kept = Taken back. Member { $member } keeps role { $role }: { $sources }.
taken-back-observed = Taken back. Role { $role } is only observed: nobody loses it, unless `nexrole map enforce` turns it on.
imported = Imported: { $begun } new, { $changed } with another end than before, { $same } as they were.
imported-reason = It is a reason to have role { $role } { $end }.
imported-kept = Who has it now has it from somebody else, and keeps it whatever ends: Nexrole takes only what it gave.
imported-over = that day has passed; nothing was changed
import-bad = { $count } line(s) are no Discord id; nothing was changed
import-bad-line = line { $number }: { $text }

# nexrole link add, link remove, give-back
linked = Linked. What { $customer } pays for is being read from Stripe.
linked-already = { $customer } was linked to { $member } already.
linked-to-other = { $customer } is linked to { $holder }; a link does not move by itself: first `nexrole link remove --guild { $guild } { $option }`
link-no-connection = server { $guild } has no Stripe connection yet: start the gateway with GUILD_ID={ $guild }
link-connections = server { $guild } has { $count } Stripe connections; linking by hand takes exactly one so far
unlinked = { $customer } is not { $holder }'s any more. If its metadata at Stripe names somebody, it is linked to them now.
unlinked-ended = { $ended } reason(s) for a role ended that came from a Stripe account, or mode, that is not connected any more.
unlinked-named = { $subscription } is not { $member }'s any more, unless its own metadata at Stripe still names them.
unlinked-nobody = { $customer } was linked to nobody.
link-moved = { $customer } is { $member }'s now, and not { $from }'s any more. What it pays for is being read from Stripe.
link-moved-named = If { $subscription } still names { $member } in its own metadata at Stripe, what it gives goes back to them: correct it there.
link-moved-metadata = If its metadata at Stripe names somebody else, `nexrole doctor` says so until it is corrected there.
link-move-nobody = { $customer } is linked to nobody in server { $guild }: `nexrole link add --guild { $guild } --user { $member } { $option }` links it
give-back-not-due = nothing gives role { $role } to member { $member } now; `nexrole why --guild { $guild } --member { $member }` says what did
give-back-observed = role { $role } is only observed: nothing is changed until `nexrole map enforce --guild { $guild } --role { $role }` turns it on
given-back-taken = Somebody took role { $role } from member { $member } at Discord; that was seen { $at }. The bot gives it back.
given-back = The bot checks member { $member }, and gives role { $role } if they do not have it. Nobody was seen to take it.

# nexrole follow
follow-none = Nothing is asked: nobody who pays has a role by hand of which that is not settled.
follow-role = Role { $role } was given by hand to { $count ->
    [one] 1 member who pays
   *[other] { $count } members who pay
} for it now: let it follow the payment?
follow-member = member { $member }  pays since { $since }
follow-more = and { $count } more
follow-one-fix = One member: nexrole follow --guild { $guild } --role { $role } --member … yes (or no)
follow-everyone-fix = All of them: nexrole follow --guild { $guild } --role { $role } --everyone { $count } yes (or no)
follow-not-asked = nothing is asked about role { $role } of member { $member }: `nexrole follow --guild { $guild }` lists what is
follow-not-so-many = { $count ->
    [0] nothing is open about role { $role }
    [one] 1 question is open about role { $role }, not as many as you said
   *[other] { $count } questions are open about role { $role }, not as many as you said
}; nothing was changed: `nexrole follow --guild { $guild }` lists them
follow-already = It was answered so already.
follow-already-ours = role { $role } of member { $member } follows the payment already; to let them have it beyond that, `nexrole grant --guild { $guild } --member { $member } --role { $role } --reason …`
follow-yes = Answered for { $members } member(s): the bot checks them, and where they have role { $role } still, it ends with the payment from then on.
follow-no = Answered for { $members } member(s): role { $role } stays when the payment ends.

# nexrole connect, disconnect
connected = Connected server { $guild } ({ $mode }).
connected-endpoint = Stripe, Workbench, Webhooks: an endpoint at https://YOUR.HOST/webhooks/stripe/{ $endpoint }
connected-secret-kept = Its webhook secret stays as it was.
connected-portal = Optional: with Read on Customer portal, members are shown where they manage or cancel what they pay for; or paste its link: `nexrole portal --guild { $guild } { $endpoint } https://billing.stripe.com/p/login/…`
connected-no-secret = Then connect again with --webhook-secret-file; until then events are polled.
connect-reserved = the label '{ $label }' is taken by what variables describe
disconnect-unknown = server { $guild } has no connection { $endpoint }; `nexrole connections` shows all of them
disconnected-already = It was disconnected already.
disconnected = Disconnected '{ $label }' ({ $mode }) of server { $guild }: it is not read any more, events for it are refused within a minute, and the secrets that were sealed for it are gone. Delete the webhook endpoint and the key at Stripe.
disconnected-frozen = { $frozen } reason(s) for a role stay as they are: nothing says that what was paid for has ended. `nexrole link remove` ends them, customer by customer.
disconnected-described = Variables of the gateway describe it: remove GUILD_ID, STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET there and restart it. Until then it accepts events, and connects this again when it starts.

# nexrole erase
erase-unlinked = What { $customers } Stripe customer(s) pay for is not this member's any more.
erase-waiting = Waiting: { $open }.
erase-open-links = { $count } customer(s) linked
erase-open-unread = { $count } customer(s) to read from Stripe
erase-open-sources = { $count } reason(s) for a role
erase-open-held = { $count } role(s) held
erase-open-jobs = { $count } role change(s) on their way
erase-not-yet = not forgotten yet: { $open }. Are the gateway and the bot running, can Stripe be read, and may the bot take the role? `nexrole why --guild { $guild } --member { $member }` says more; then run this again, or with --anyway
erase-linked-again = a Stripe customer was linked to this member again: its metadata there, or a subscription's, says discord_user_id { $member }. Remove that at Stripe, then run this again
erase-forgotten = Forgotten. { $entries } audit entries stay, without the person.
erase-roles-left = { $roles } role(s) stay at Discord: take them there.
erase-elsewhere = What Stripe has about a customer, and Discord about a member, is theirs to delete.

# nexrole activity
activity = Server { $guild }, the last 90 days, newest first
activity-entry = { $at }  { $action } by { $actor }
activity-about = { $entry }  member { $member }
activity-detail = { $entry }  { $detail }

# nexrole backfill
backfill-connection = server { $guild }  { $mode }  { $label }
backfill-no-connection = server { $guild } has no such Stripe connection that is active; `nexrole connections` shows all of them
backfill-not-past = { $text } is not in the past, or longer ago than Stripe is
backfill-begun-events = Stripe's events since { $since } are read once more, and every object that they name: Stripe lists them for 30 days, so they tell all that happened since then.
backfill-begun-lists = Stripe lists its events for 30 days only, and { $since } is longer ago. So all running subscriptions and paid purchases are listed, what of ours is not among them is read by itself, and the events of those 30 days are read once more.
backfill-unknown = What is not found so: a refund or dispute of a subscription's payment that is older than 30 days, and what began and ended again in between.
backfill-under-way = A backfill is under way already, and goes on as it is: order this one when that has ended.
backfill-nothing-ends = Nobody loses a role by what an event says or a list lacks: only by what is read then of the very thing that they bought.
backfill-next = The gateway does it, also after a restart: `nexrole backfill --guild { $guild }` shows how far it is.
backfill-none = No backfill was ordered in server { $guild }: `nexrole backfill --guild { $guild } --since 5d`.
backfill-none-anywhere = No backfill was ordered yet: `nexrole backfill --since 5d`.
backfill-since = since { $since }, ordered { $at }
backfill-asked = waits for the gateway
backfill-looking = events: { $seen } read so far
backfill-looking-back = events: { $seen } read so far, back to { $back }
backfill-looked = events: { $seen } read, all there are
backfill-to-read = objects that they name: { $count } to be read again, unless they were read since the order
backfill-unread = still to be read: { $count }, one after another, after the payments of now
backfill-failing = { $count } cannot be read at the moment, and are tried on by themselves: `nexrole failed list --guild { $guild }`
backfill-listed = Stripe's events do not go back so far: its lists are read, too
backfill-error = it cannot go on, and is tried again by itself: { $error }
backfill-disconnected = it waits: the connection is not active
backfill-done = Done { $at }: all that could be read is read.

# nexrole rebuild
rebuild-looked = { $count } subscription(s) and purchase(s) of server { $guild } were looked at, as they were last read from Stripe.
rebuild-none = They give what is written down: nothing would change.
rebuild-gives = Role { $role }: paid for by { $count } member(s), and not written down, or with another end
rebuild-would-end = Role { $role }: written down for { $count } member(s) for whom nothing that was read gives it
rebuild-to-read = { $count } of them are read from Stripe first: by their rows access would end, or their rows do not keep all that decides.
rebuild-nothing-ends = Nobody loses a role by rows alone: only by what is read then, within the limit on how many lose a role in a day.
rebuild-begun = Access is derived again, as after a read of each.
rebuild-rows = derived again from what was read before, ordered { $at }
rebuild-seen = looked at so far: { $seen }
rebuild-seen-all = looked at: { $seen }, all there are
rebuild-derived = gave something else than was written down: { $count }; read from Stripe because of it: { $read }

# nexrole failed
failed-none = Nothing fails in server { $guild }, and nothing was given up.
failed-since = since { $since }
failed-answered = Stripe answers, but not with what is asked for
failed-attempts = tried { $count } time(s)
failed-next = next { $at }
failed-given-up = not tried any more
failed-error = { $error }
failed-events = { $id }: Stripe's list of events cannot be read ({ $connection })
failed-other = { $id }: Stripe's list of events about what is sold cannot be read ({ $connection }); no role depends on it
failed-list = { $id }: Stripe's list of subscriptions cannot be read on ({ $connection })
failed-backfill = { $id }: the backfill cannot go on ({ $connection })
failed-stripe-fix = Nobody loses a role by that. `nexrole doctor` says whether Stripe answers, and whether the key may read it.
failed-reads = { $count } object(s) cannot be read from Stripe ({ $connection })
failed-object = { $id }
failed-object-of = { $id } of member { $member }
failed-missing-fix = Is the key that of this account, and of this mode? `nexrole doctor` says so. Of an event that was sent for a test nothing follows. Nobody loses a role by that.
failed-missing-given-up = They still give a role. If they were of another account: `nexrole link remove` ends what they give; nothing else does.
failed-event = { $id } ({ $type }): no read will answer it, about { $object }
failed-event-fix = That is a mistake of Nexrole's: have it tried again, and report it, please.
failed-jobs = { $id }: role { $role } cannot be given or taken as it is to be, of { $count } member(s)
failed-jobs-fix = It is tried on by itself, and at once when Discord shows that what stands in the way is gone.
failed-jobs-given-up = Map another role to what they bought (`nexrole map add`), or, if the role is there again, have it tried again.
failed-notice = { $id }: member { $member } could not be told of the payment of { $source }
failed-notice-fix = If the member takes messages again, have it tried again; otherwise tell them yourself.
failed-notice-pending = It is tried on by itself.
failed-notice-unsure = Discord may have taken it, so it is not sent again: ask the member.
failed-retry = Again, now: `nexrole failed retry --guild { $guild } ID`, where ID is what stands at the beginning of a line: sub_…, evt_…, role-…
failed-retry-all = All of it: `nexrole failed retry --guild { $guild } --all`
failed-unknown = in server { $guild } nothing that failed is called { $id }: `nexrole failed list --guild { $guild }`
retried-lists = { $count } list(s) of Stripe's are read on.
retried-objects = { $count } object(s) are read from Stripe again.
retried-members = Of { $count } member(s) the role is checked again.
retried-notices = { $count } notice(s) are sent again.
retried-unsure = { $count } notice(s) are not sent again: Discord may have them.
retried-next = What fails once more is in the list again: `nexrole failed list --guild { $guild }`

# nexrole portal
portal-kept = Members are sent to { $page } to manage or cancel what they pay for, whatever Stripe says of another page.
portal-removed = What was pasted is forgotten: members are sent to the login page that Stripe says, if it is activated and the key may read Customer portal. `nexrole connections` shows it.
portal-already = It was so already.
portal-unfit-https = that is no address that begins with https://
portal-unfit-credentials = there is a user name or a port in that address
portal-unfit-host = that address names no host
portal-unfit-character = there is something in that address that does not belong there: a space, a bracket, or a letter that only looks like one
portal-unfit-long = that address is too long
portal-one-customers = that page is for one customer, and works for minutes; the login page is for all of them
portal-another-page = that is another page of Stripe's
portal-other-mode = that page is of { $of } mode, and the connection is { $mode }
portal-fix = { $why }. Paste the login link of the customer portal: Stripe ({ $mode } mode), Settings, Billing, Customer portal, Activate link: https://billing.stripe.com/p/login/{ $prefix }…, or the same on your own domain

# nexrole connections
connections-none = No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET.
connection-reads = { $reads } reads this month, { $left } of { $granted } left
connection-list-error = they cannot be read on: { $error }
list-so-far = subscriptions: { $seen } read so far
list-so-far-of = subscriptions: { $seen } of { $expected } read so far
connection = server { $guild }  { $mode }  { $state }  { $label }  /webhooks/stripe/{ $endpoint }
connection-portal = manage or cancel: { $page }
connection-portal-pasted = manage or cancel, as pasted: { $page }
connection-portal-disabled = no page to manage or cancel: the customer portal's login link is not activated
connection-portal-refused = no page to manage or cancel: the key may not read Customer portal
mode-live = live
mode-test = test

# nexrole catalogue
catalogue-none = No active price is known. It is read from Stripe at first contact; the key needs Read on Prices,
catalogue-none-fix = Products and Payment Links for it. Any price can be mapped by its id: nexrole map add --price price_…
catalogue-product = { $product }  { $name }
catalogue-no-name = (no name)
catalogue-price = { $price }  { $amount }  { $gives }
catalogue-gives-no-role = gives no role
catalogue-gives-observed = gives role { $role }, which is only observed
catalogue-gives = gives role { $role }
catalogue-links = Payment links
catalogue-link = { $url }  sells { $prices }  then { $after }
catalogue-prices-unknown = what Stripe did not say
catalogue-after-at-stripe = Stripe's own page

# nexrole doctor: what is found says itself where it is found
finding = { $text }
findings-clock = clocks
findings-keys = encryption keys
findings-operator = what no program can see
findings-web = public address
findings-counted = { $well } well, { $improve } to improve, { $wrong } wrong, { $ask } for you to answer

# E-mail: plain text.
mail-test-subject = A test mail of Nexrole's
mail-test = Mail from Nexrole arrives here. Whoever runs it asked for this mail with `nexrole mail test`; there is nothing to do.
mail-code-subject = Your code to connect a purchase to Discord
mail-code = Somebody on Discord says that a purchase made with this address is theirs. If that is you, type this code where you asked for it:
mail-code-itself = { $code }
mail-code-lives = It works once, and for { $minutes ->
    [one] 1 minute
   *[other] { $minutes } minutes
}.
mail-code-not-you = If it was not you, there is nothing to do: without the code nothing happens. Give it to nobody. Whoever asks you for it wants what you paid for.
mail-invitation-subject = Connect what you pay for to Discord
mail-invitation-again-subject = Still to be connected to Discord: what you pay for
mail-invitation-pays-for = You pay for { $products }, with this e-mail address. It comes with a role in the seller's Discord server, and nobody has told us which Discord account is yours. So nobody has that role.
mail-invitation-pays = You pay for a membership, with this e-mail address. It comes with a role in the seller's Discord server, and nobody has told us which Discord account is yours. So nobody has that role.
mail-invitation-how = To have it, open this page, log in with Discord, and type this e-mail address. A code is sent here, which shows that it is yours:
mail-invitation-keeps = It costs nothing, and changes nothing about your payments. Whoever is not on Discord has nothing to do.
mail-invitation-stop = The seller may remind you once. If you want no such mail, say so here:
mail-invitation-last = You are not reminded again. That you want no such mail you can still say here:
mail-link = { $link }
mail-from = This mail was written by a machine; no answer to it is read.

# Pages: logging in.
page-log-in-first = Log in first
page-log-in-why = Log in with the Discord account that is to get the role. We see your name and id there, and nothing else.
page-log-in = Log in with Discord
page-log-in-again = Log in again
page-session-copied = You were logged out
page-session-copied-why = Your login was used in two places at once, so it has ended in both. If that was not you, choose “Log out everywhere” after you have logged in.
page-going-on = One moment
page-go-on = Continue
page-denied = You are not logged in
page-denied-why = You said no at Discord. Nothing has changed.
page-login-stale = This login cannot be finished
page-login-stale-why = It was begun in another browser, has been used already, or took longer than ten minutes.
page-discord-silent = Discord does not answer
page-discord-silent-why = You are not logged in, and nothing has changed. Try again in a minute.
page-discord-busy-why = Discord has too much to do, and asks to wait { $seconds ->
    [one] 1 second
   *[other] { $seconds } seconds
}. You are not logged in, and nothing has changed.
page-no-login = Nobody can log in here yet
page-no-login-why = Whoever runs this site has not set up the login with Discord, or not rightly. Please tell the owner of your server.
page-try-again = Try again
page-account = You are logged in as @{ $name }
page-account-why = This is about this site only; you stay logged in at Discord.
page-log-out = Log out
page-log-out-everywhere = Log out everywhere
page-logged-out = You are logged out
page-logged-out-why = Close this page, or log in with another account.

# Pages: claiming what one bought.
claim-question = Is this your purchase, @{ $name }?
claim-question-why = The role goes to this Discord account, and to no other. It stays there as long as it is paid for.
claim-not-in-server = @{ $name } is not in the server. You can go on, and join the server afterwards.
claim-yes = Yes, give it to @{ $name }
claim-not-me = Not you? Use another Discord account
claim-as = You are logged in as @{ $name }.
claim-taken = This purchase belongs to another account
claim-taken-why = Somebody has claimed it with another Discord account. If that account is yours, log in with it, and move the purchase to this one. If it is not, or it is gone, write to the owner of the server: they can move it.
claim-taken-move = It is mine: log in with that account
claim-rests = This purchase cannot be claimed yet
claim-rests-why = Another account unlinked it a short while ago. That account can claim it again now, and any account from { $until } on. The owner of the server can link it at any time.
claim-not-complete = This purchase is not complete yet
claim-not-complete-why = Finish paying first, then try again.
claim-too-old = This link is too old
claim-too-old-why = It proves a purchase for thirty days. Write to the owner of the server: they see your payment, and can link it to you.
claim-too-old-by-email = It proves a purchase for thirty days. A code to the address that you paid with proves it too.
claim-guest = This purchase has no customer
claim-guest-why = You paid as a guest, so there is nothing to link to your account. Write to the owner of the server: they see your payment.
claim-held = This purchase is meant for somebody else
claim-held-why = The link that it was paid with names another Discord account. Log in with that one, or write to the owner of the server.
claim-held-by-email = The link that it was paid with names another Discord account. If it is yours all the same, a code to the address that you paid with proves it.
claim-unknown = There is no such purchase
claim-unknown-why = Open the page again that you saw after paying, or write to the owner of the server.
claim-unknown-by-email = Open the page again that you saw after paying. Or have a code sent to the e-mail address that you paid with: it shows that the purchase is yours.
claim-which-server = This address is not complete
claim-which-server-why = It does not say which server the purchase is for. Please tell the owner of your server: the address in their Payment Link is to have the server's id.
claim-later = We could not check your purchase
claim-later-why = Nothing has changed. Try again in a minute.
claim-no-server = Nothing is sold here
claim-no-server-why = The address of this page is not right, or the owner of the server has not connected Stripe yet. Please tell them.
claim-by-email = Claim by e-mail

# Pages: moving what one paid for to another account, and giving it up.
move-way = Wrong account? Move or unlink it
move-title = Move what you paid for to another account
move-why = Your role here goes to the other account at once, and this one loses it. What you pay stays as it is.
move-both = Both accounts log in, one after the other, in this browser: this one says yes now, the other one after it. Until then nothing changes. It can be moved again a week later.
move-offer = Move it from @{ $name }
move-rests-why = What came to an account a short while ago, or was moved before, rests there until { $until }. The owner of the server can move it at any time.
move-named-why = The owner of the server has noted at Stripe whose it is, so it cannot be changed here. Write to them.
move-not-now = It cannot be moved now
move-nothing-why = Nothing that is paid for is linked to this account here. Log in with the account that has it.
move-other = Now log in with the other account
move-other-why = At Discord, switch to the account that is to have it before you say yes there.
move-other-until = You have ten minutes. Until the other account says yes, all stays with @{ $name }; log out everywhere, and it stays there for good.
move-log-in = Log in with the other account
move-question = Move it from @{ $from } to @{ $to }?
move-question-why = @{ $from } has agreed. If you say yes, @{ $to } has the role from now on, and @{ $from } loses it. What is paid stays as it is.
move-yes = Yes, move it to @{ $name }
move-some = Not all of it went to @{ $name }
move-look = See your roles
move-over = There is nothing to take over
move-over-why = Either it was moved already, or more than ten minutes are over, or the other account has logged out. Nothing was changed just now.
move-begin = Begin again, with the account that has it
give-up-instead = Unlink it from this account
give-up-title = Unlink what is paid for from @{ $name }?
give-up-why = This account loses its role here at once, and nobody gets it by that.
give-up-goes-on = Unlinking cancels nothing: a subscription is charged as before.
give-up-portal = To stop paying, cancel it at Stripe.
give-up-no-portal = To stop paying, write to the owner of the server.
give-up-rests = This account can claim it again at any time; another one from a week after this account claimed it, or within a day of that.
give-up-yes = Yes, unlink it from @{ $name }
give-up-cancel = Manage or cancel the subscription
give-up-move = Move it to another account instead
give-up-named = It cannot be unlinked here
given-up = It is not linked to @{ $name } any more
given-up-why = The role is being taken from this account.

# Pages: claiming by a code that is sent by e-mail.
code-address = Claim by e-mail
code-address-why = Type the e-mail address that you paid with. If a purchase has it, a code is sent there. With the code, the purchase is yours.
code-address-label = E-mail address
code-address-wrong = This is not an e-mail address.
code-send = Send me a code
code-sent = Check your e-mail
code-sent-why = If a purchase has this address, a code of eight digits is on its way. It counts once, for { $minutes } minutes.
code-sent-slow = Mail to a company can take some minutes, and some mail ends among what is unwanted. If nothing comes, you paid with another address.
code-label = Code from the mail
code-use = Use this code
code-other = Send another code
code-wrong = That is not the code. { $left ->
    [one] One try is left.
   *[other] { $left } tries are left.
}
code-too-many = Too many codes were asked for
code-too-many-why = Nothing was sent this time. Try again in an hour.
code-locked = Too many wrong codes
code-locked-why = Until { $until }, no code to this address counts for you. Nothing is lost: whoever paid keeps what they paid for.
code-write-to-owner = You can also write to the owner of the server: they see your payment, and can link it to you.
code-gone = This code does not count any more
code-gone-why = It was used, is older than ten minutes, or a newer one was sent.
code-none = No codes are sent here
code-none-why = Whoever runs this site has not set up mail. Write to the owner of the server: they see your payment, and can link it to you.

# Pages: how far a role is.
arrival-there = { $count ->
    [one] Your role is there
   *[other] Your roles are there
}
arrival-there-why = Go back to Discord: you have it already.
arrival-moving = Your role is on its way
arrival-moving-why = It takes a few seconds as a rule. This page looks again by itself.
arrival-delayed = Your role is delayed
arrival-delayed-why = Something in the server keeps the bot from giving it, and its owner is shown what. If you are not in the server yet, join it. It comes by itself then.
arrival-reading = We are checking your purchase
arrival-reading-why = It takes a few seconds as a rule. This page looks again by itself.
arrival-rules = Accept the server's rules
arrival-rules-why = You have joined, and are to accept the rules in Discord. Your role comes by itself then.
arrival-join = Join the server
arrival-join-why = Your purchase is linked to you. Join the server in Discord, with the same account: your role comes by itself then.
arrival-unpaid = Your bank has not paid yet
arrival-unpaid-why = A bank debit can take some days. Your purchase is linked to you, and your role comes by itself then.
arrival-unconfirmed = Somebody paid by your link
arrival-unconfirmed-why = If it was you, open the page again that you saw after paying, and say yes there: it is yours then. If it was somebody else, it stays theirs.
arrival-unconfirmed-by-email = If it was you, open the page again that you saw after paying, and say yes there; or have a code sent to the address that you paid with. If it was somebody else, it stays theirs.
arrival-no-role = Your purchase is linked to you
arrival-no-role-why = It gives no role now. If it should, write to the owner of the server.
arrival-nothing = Nothing is linked to you here
arrival-nothing-why = If you have paid, open the page again that you saw after paying.
arrival-nothing-by-email = If you have paid, open the page again that you saw after paying; or have a code sent to the address that you paid with.
arrival-look-again = Look again

# Pages: the link to a server, by which somebody is added to it.
subscribe-title = Subscribe
subscribe-why = You pay at Stripe. Your role comes when you are back here and say that it was you.
subscribe-no-name = this
subscribe-to = { $name }: { $costs }
subscribe-manage = Manage { $name }, which you have
subscribe-have = You have { $name }
subscribe-none = Nothing is for sale here
subscribe-none-why = The owner of the server sells nothing by a link yet that gives a role.
subscribe-link = { $name }: { $costs }
subscribe-link-why = This link is yours alone: what is bought by it is kept for you. It is good for ten minutes and one purchase.
subscribe-link-own = Give it to nobody: whoever pays by it pays for themselves, and has to prove it.
subscribe-pay = Pay at Stripe
subscribe-already = You have { $name } already
subscribe-already-why = Buying it again would have you pay twice.
subscribe-manage-it = Manage it
subscribe-roles = Look at your roles
subscribe-gone = This is not for sale any more
subscribe-gone-why = Nothing was bought. Look at what is.
subscribe-back = What is for sale
subscribe-too-many = You asked for many links
subscribe-too-many-why = Use the last of them, or try again in an hour. Nothing was bought.
subscribe-not-set-up = This server cannot make links
subscribe-not-set-up-why = Please tell its owner: ENCRYPTION_KEYS is not set.
join-unknown = This link leads to no server
join-unknown-why = The server is not set up here. Please tell whoever gave you the link.
join-log-in = Join the server
join-log-in-why = Log in with the Discord account that is to have your role.
join-allow-why = Discord asks you whether we may add you to servers, and see your name, id and e-mail address. We add you to this one server, when you say so on the next page, and keep no e-mail address of yours.
join-otherwise = If you would rather not, join the server by its invitation, and come back.
join-denied = You said no
join-denied-why = Nothing has changed. Join the server by its invitation, and come back; to see what is yours there, log in without it.
join-log-in-only = Log in without it
join-theirs = { $count ->
    [one] A role is waiting for you there.
   *[other] { $count } roles are waiting for you there.
}
join-theirs-read = We are still checking your purchase. Its role comes by itself.
join-theirs-none = Nothing is linked to you there yet. If you have paid, open the page again that you saw after paying; you can join before.
join-question = Join the server as @{ $name }?
join-question-why = You are added at once, by the permission that you gave at Discord. It is used this once, and forgotten.
join-yes = Join as @{ $name }
join-allow-title = Join the server
join-allow = Continue with Discord
join-under-way = You are being added
join-under-way-why = It takes a few seconds as a rule. This page looks again by itself.
join-not-permitted = We may not add you to this server
join-not-permitted-why = The bot lacks the permission to create invites there, which the owner can give it. Join the server by its invitation: your role comes by itself then.
join-banned = You cannot join this server
join-banned-why = This Discord account is banned there. If that is a mistake, write to the owner of the server.
join-too-many = You are in too many servers
join-too-many-why = Discord lets nobody be in more. Leave one in Discord, then try again.
join-token-over = Discord wants you to confirm once more
join-token-over-why = What you allowed there is not good any more. Nothing has changed.
join-bot-away = The bot is not in this server
join-bot-away-why = Nobody can be added before its owner invites the bot again. Please tell them.
join-refused = Discord did not let you in
join-refused-why = It did not say why in words that we know. Join the server by its invitation: your role comes by itself then.
join-later = You could not be added yet
join-later-why = Nothing has changed. Try again in { $seconds ->
    [one] one second.
   *[other] { $seconds } seconds.
}
join-unsure = Discord has not answered yet
join-unsure-why = You may be in the server already. This page looks again by itself.

# Mail that somebody does not want, on a page.
mail-stop = No more mail about this?
mail-stop-why = You were written to because you pay for something that no Discord account is connected to. You can still connect it later.
mail-stop-yes = Send me no such mail
mail-stopped = You get no more such mail
mail-stopped-why = Nothing else changes: not what you pay for, and not what it gives you.
mail-stop-unknown = This link is not complete
mail-stop-unknown-why = Open it once more from the mail, or write to the seller. Nothing was changed.

# `nexrole mail invite`.
invite-title = Who pays and is linked to no member, in server { $guild }
invite-nobody = Nobody is to be written to.
invite-first = { $count ->
    [one] One customer was told nothing yet, and is written to.
   *[other] { $count } customers were told nothing yet, and are written to.
}
invite-again = { $count ->
    [one] One was told a week ago or longer, and is reminded.
   *[other] { $count } were told a week ago or longer, and are reminded.
}
invite-told = { $count ->
    [one] One was told, and is left alone.
   *[other] { $count } were told, and are left alone.
}
invite-stopped = { $count ->
    [one] One wants no such mail, and gets none.
   *[other] { $count } want no such mail, and get none.
}
invite-queued = { $count ->
    [one] One mail waits to be sent.
   *[other] { $count } mails wait to be sent, one every two seconds.
}
invite-queued-how = The gateway asks Stripe for each address when its turn comes, and needs SMTP_URL and PUBLIC_URL for it. `nexrole doctor` says what mail failed.
