extension LedgerSchema {
    /// Doubt can be settled: by evidence, by a person with a reason, or by a second hand-over under the same key.
    static let version2 = """
        INSERT INTO facts VALUES ('ledger', lower(hex(randomblob(16))));

        ALTER TABLE deliveries ADD COLUMN local_port INTEGER;
        ALTER TABLE deliveries ADD COLUMN key_until INTEGER;
        ALTER TABLE deliveries ADD COLUMN key_scope TEXT;
        ALTER TABLE deliveries ADD COLUMN repeating INTEGER NOT NULL DEFAULT 0 CHECK (repeating IN (0, 1));
        ALTER TABLE deliveries ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE deliveries ADD COLUMN examined INTEGER NOT NULL DEFAULT 0 CHECK (examined IN (0, 1));
        UPDATE deliveries SET doubts = 1 WHERE state = 'uncertain';
        CREATE INDEX open_doubts ON deliveries (relay, not_before) WHERE state = 'uncertain' AND examined = 0;
        CREATE INDEX doubts_of_campaigns ON deliveries (campaign) WHERE state = 'uncertain';

        CREATE TABLE settlements (
          delivery INTEGER NOT NULL REFERENCES deliveries (id),
          doubt INTEGER NOT NULL,
          outcome TEXT NOT NULL CHECK (outcome IN ('sent', 'resend')),
          kind TEXT NOT NULL CHECK (kind IN ('person', 'journal', 'bounce')),
          evidence TEXT NOT NULL CHECK (length(evidence) > 0),
          job TEXT CHECK (job IS NOT NULL OR kind <> 'person'),
          settled_at INTEGER NOT NULL,
          PRIMARY KEY (delivery, doubt)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER settlements_are_not_changed BEFORE UPDATE ON settlements
        BEGIN SELECT RAISE(ABORT, 'what settled a doubt is kept'); END;
        CREATE TRIGGER settlements_are_kept BEFORE DELETE ON settlements
        BEGIN SELECT RAISE(ABORT, 'what settled a doubt is kept'); END;

        DROP TRIGGER only_the_queued_are_handed_over;
        CREATE TRIGGER only_the_queued_are_handed_over BEFORE UPDATE OF state ON deliveries
        WHEN NEW.state = 'inFlight' AND OLD.state <> 'queued'
          AND NOT (OLD.state = 'uncertain' AND NEW.repeating = 1 AND NEW.intent_at < coalesce(OLD.key_until, 0))
        BEGIN SELECT RAISE(ABORT, 'only a queued delivery is handed over'); END;
        DROP TRIGGER doubt_begins_in_flight;
        CREATE TRIGGER doubt_begins_in_flight BEFORE UPDATE OF state ON deliveries
        WHEN NEW.state = 'uncertain' AND OLD.state NOT IN ('inFlight', 'uncertain')
        BEGIN SELECT RAISE(ABORT, 'only a delivery in flight becomes uncertain'); END;
        DROP TRIGGER doubt_is_settled;
        CREATE TRIGGER doubt_is_settled BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state = 'uncertain' AND NEW.state NOT IN ('uncertain', 'sent', 'queued', 'inFlight')
        BEGIN SELECT RAISE(ABORT, 'doubt ends in sent or queued'); END;
        CREATE TRIGGER doubt_is_settled_by_evidence BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state = 'uncertain' AND NEW.state IN ('sent', 'queued') AND NOT EXISTS
          (SELECT 1 FROM settlements WHERE delivery = OLD.id AND doubt = OLD.doubts
           AND outcome = iif(NEW.state = 'sent', 'sent', 'resend'))
        BEGIN SELECT RAISE(ABORT, 'a doubt is settled by evidence or by a person'); END;
        CREATE TRIGGER what_is_repeated_stays_in_doubt BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state = 'inFlight' AND OLD.repeating = 1 AND NEW.state NOT IN ('inFlight', 'sent', 'uncertain')
        BEGIN SELECT RAISE(ABORT, 'a second hand-over proves nothing but its acceptance'); END;
        CREATE TRIGGER what_is_repeated_is_marked BEFORE UPDATE OF repeating ON deliveries
        WHEN OLD.state = 'inFlight' AND NEW.state = 'inFlight' AND NEW.repeating <> OLD.repeating
        BEGIN SELECT RAISE(ABORT, 'a second hand-over stays one'); END;
        CREATE TRIGGER a_key_stays BEFORE UPDATE OF key_until ON deliveries
        WHEN OLD.state <> 'queued' AND NEW.state <> 'queued' AND NEW.key_until IS NOT OLD.key_until
        BEGIN SELECT RAISE(ABORT, 'a key is valid from the first hand-over on'); END;
        CREATE TRIGGER doubts_are_counted AFTER UPDATE OF state ON deliveries
        WHEN NEW.state = 'uncertain' AND OLD.state = 'inFlight' AND OLD.repeating = 0
        BEGIN UPDATE deliveries SET doubts = doubts + 1 WHERE id = NEW.id; END;

        DROP TRIGGER sending_times;
        CREATE TRIGGER sending_times AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'sent' AND NEW.is_test = 0
        BEGIN
          UPDATE campaigns SET first_sent_at = min(coalesce(first_sent_at, NEW.sent_at), NEW.sent_at),
            last_sent_at = max(coalesce(last_sent_at, NEW.sent_at), NEW.sent_at) WHERE number = NEW.campaign;
        END;

        DROP TRIGGER ended_campaigns_stay_ended;
        CREATE TRIGGER ended_campaigns_stay_ended BEFORE UPDATE OF state ON campaigns
        WHEN OLD.state IN ('finished', 'cancelled', 'expired') AND NEW.state <> OLD.state
          AND NOT (OLD.state = 'finished' AND NEW.state = 'running' AND NEW.reported = 0 AND EXISTS
            (SELECT 1 FROM deliveries WHERE campaign = OLD.number AND state = 'queued' AND doubts > 0))
        BEGIN SELECT RAISE(ABORT, 'an ended campaign stays ended'); END;
        """
}
