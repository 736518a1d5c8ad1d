-- An invitation that comes while a turn holds the gate, and has already read that the bot is not in the guild, must not be lost.

ALTER TABLE guild_gates
    ADD COLUMN invited BOOLEAN NOT NULL DEFAULT false;   -- the bot was invited since the lease began
