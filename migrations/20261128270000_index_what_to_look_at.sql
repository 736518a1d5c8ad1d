-- A statement that is planned while its table is empty, as every service does in the first minutes of a server, is planned for few rows and kept so
-- until the table is analysed. For Postgres the cheapest index is then a partial one whose condition the query has, and it is read whole: "which
-- sources of this member are live?" walked all that are live, and ten thousand subscriptions at first contact read 47 million pages. An
-- index on an expression is no answer to such a query, and neither is one of what is not NULL.
LOCK TABLE access_sources, member_notices IN ACCESS EXCLUSIVE MODE;

-- "Whom did nobody look at for long?"
CREATE INDEX access_sources_looked_at ON access_sources ((CASE WHEN state = 'live' THEN looked_at END));
DROP INDEX access_sources_looked;

-- "What did this subscription give, to whom?" With all that the query knows, so that the unique key is not as good for it: of that, only the
-- server's part narrows the search.
CREATE INDEX access_sources_of_object ON access_sources (guild_id, connection_id, source_id, stripe_object);
DROP INDEX access_sources_of_source;

-- "What is to be sent now?" It is NULL unless the state is 'pending'.
CREATE INDEX member_notices_next ON member_notices (next_at) WHERE next_at IS NOT NULL;
DROP INDEX member_notices_due;
