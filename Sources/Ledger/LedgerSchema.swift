/// The tables. What the code must not do, they refuse: see the triggers.
///
/// Times are milliseconds since 1970, slots nanoseconds of CLOCK_BOOTTIME.
enum LedgerSchema {
    /// “camp” in ASCII: marks the file as ours (`PRAGMA application_id`).
    static let applicationID: Int32 = 0x6361_6D70

    /// Each entry brings the file from the version that is its index to the next one.
    static let migrations: [String] = [
        version1, version2, relayTallies, courses, domains, submitters, handOvers, reports,
    ]

    private static let version1 = """
        CREATE TABLE facts (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE jobs (
          id TEXT PRIMARY KEY,
          kind TEXT NOT NULL,
          sha256 TEXT NOT NULL,
          receipt TEXT NOT NULL,
          claim TEXT NOT NULL,
          accepted_at INTEGER NOT NULL,
          finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
          repeats INTEGER NOT NULL DEFAULT 0,
          registered TEXT NOT NULL DEFAULT '{}',
          warnings TEXT NOT NULL DEFAULT '[]'
        ) STRICT;
        CREATE TRIGGER jobs_are_kept BEFORE DELETE ON jobs WHEN OLD.finished = 1
        BEGIN SELECT RAISE(ABORT, 'jobs are kept for ever'); END;
        CREATE TRIGGER jobs_stay_what_they_are BEFORE UPDATE OF id, kind, sha256, finished ON jobs
        WHEN NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.sha256 <> OLD.sha256 OR NEW.finished < OLD.finished
        BEGIN SELECT RAISE(ABORT, 'a job stays what it is'); END;
        CREATE INDEX claims_of_jobs ON jobs (claim);
        CREATE INDEX receipts_of_jobs ON jobs (receipt);
        CREATE INDEX unfinished_jobs ON jobs (id) WHERE finished = 0;

        CREATE TABLE campaigns (
          number INTEGER PRIMARY KEY AUTOINCREMENT,
          job TEXT NOT NULL UNIQUE REFERENCES jobs (id),
          state TEXT NOT NULL CHECK (state IN
            ('planning', 'held', 'scheduled', 'running', 'paused', 'finished', 'cancelled', 'expired')),
          basis TEXT NOT NULL CHECK (basis IN ('consent', 'service', 'consentRequest')),
          purpose TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          accepted_at INTEGER NOT NULL,
          send_after INTEGER,
          expires INTEGER NOT NULL,
          relays TEXT NOT NULL,
          because TEXT,
          held_because TEXT,
          first_sent_at INTEGER,
          last_sent_at INTEGER,
          reported INTEGER NOT NULL DEFAULT 0 CHECK (reported IN (0, 1))
        ) STRICT;
        CREATE INDEX open_campaigns ON campaigns (number) WHERE state NOT IN ('finished', 'cancelled', 'expired');
        CREATE INDEX unreported_campaigns ON campaigns (number) WHERE reported = 0;
        CREATE INDEX campaign_fingerprints ON campaigns (fingerprint, accepted_at);
        CREATE TRIGGER ended_campaigns_stay_ended BEFORE UPDATE OF state ON campaigns
        WHEN OLD.state IN ('finished', 'cancelled', 'expired') AND NEW.state <> OLD.state
        BEGIN SELECT RAISE(ABORT, 'an ended campaign stays ended'); END;
        CREATE TRIGGER campaigns_are_planned_once BEFORE UPDATE OF state ON campaigns
        WHEN NEW.state = 'planning' AND OLD.state <> 'planning'
        BEGIN SELECT RAISE(ABORT, 'a campaign is planned once'); END;
        CREATE TRIGGER planned_campaigns_are_kept BEFORE DELETE ON campaigns WHEN OLD.state <> 'planning'
        BEGIN SELECT RAISE(ABORT, 'planned campaigns are kept'); END;

        CREATE TABLE contacts (
          id INTEGER PRIMARY KEY,
          address TEXT NOT NULL,
          address_key TEXT NOT NULL UNIQUE,
          name TEXT,
          language TEXT,
          number TEXT,
          attributes TEXT,
          registered_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE contact_groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE memberships (
          contact_group INTEGER NOT NULL REFERENCES contact_groups (id),
          contact INTEGER NOT NULL REFERENCES contacts (id),
          PRIMARY KEY (contact_group, contact)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE consent_texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
        CREATE TABLE consent_events (
          number INTEGER PRIMARY KEY AUTOINCREMENT,
          contact INTEGER NOT NULL REFERENCES contacts (id),
          purpose TEXT NOT NULL,
          kind TEXT NOT NULL CHECK (kind IN
            ('requested', 'accepted', 'refused', 'withdrawn', 'imported', 'renewed', 'erased')),
          actor TEXT NOT NULL CHECK (actor IN ('recipient', 'operator', 'import', 'system')),
          happened_at INTEGER NOT NULL,
          recorded_at INTEGER NOT NULL,
          source INTEGER NOT NULL REFERENCES consent_texts (id),
          text INTEGER REFERENCES consent_texts (id),
          job TEXT NOT NULL,
          hash BLOB NOT NULL CHECK (length(hash) = 32)
        ) STRICT;
        CREATE TRIGGER consent_events_are_not_changed BEFORE UPDATE ON consent_events
        BEGIN SELECT RAISE(ABORT, 'the history of consent is append-only'); END;
        CREATE TRIGGER consent_events_are_kept BEFORE DELETE ON consent_events
        BEGIN SELECT RAISE(ABORT, 'the history of consent is append-only'); END;
        CREATE INDEX consent_events_of_contacts ON consent_events (contact, purpose, job);
        CREATE TABLE consent_status (
          contact INTEGER NOT NULL REFERENCES contacts (id),
          purpose TEXT NOT NULL,
          status TEXT NOT NULL CHECK (status IN ('awaiting', 'accepted', 'refused')),
          refused_since INTEGER,
          event INTEGER NOT NULL REFERENCES consent_events (number),
          PRIMARY KEY (contact, purpose)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE suppressions (
          subject BLOB PRIMARY KEY CHECK (length(subject) = 32),
          reason TEXT NOT NULL CHECK (reason IN ('hardBounce', 'complaint', 'erasure')),
          since INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE deliveries (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          campaign INTEGER NOT NULL REFERENCES campaigns (number),
          is_test INTEGER NOT NULL CHECK (is_test IN (0, 1)),
          address TEXT NOT NULL,
          address_key TEXT NOT NULL,
          contact INTEGER REFERENCES contacts (id),
          relay TEXT NOT NULL,
          fields TEXT,
          state TEXT NOT NULL CHECK (state IN
            ('queued', 'inFlight', 'sent', 'bounced', 'uncertain', 'withheld', 'expired', 'cancelled')),
          reason TEXT CHECK (reason IS NOT NULL OR state <> 'withheld'),
          attempts INTEGER NOT NULL DEFAULT 0,
          not_before INTEGER NOT NULL DEFAULT 0,
          consent_event INTEGER,
          message_id TEXT CHECK (message_id IS NOT NULL OR state NOT IN ('inFlight', 'sent', 'uncertain')),
          slot INTEGER CHECK (slot IS NOT NULL OR state NOT IN ('inFlight', 'sent', 'uncertain')),
          intent_at INTEGER,
          sent_at INTEGER CHECK (sent_at IS NOT NULL OR state <> 'sent'),
          reply TEXT,
          enhanced TEXT,
          peer TEXT,
          queue_id TEXT,
          UNIQUE (campaign, is_test, address_key)
        ) STRICT;
        CREATE INDEX due_deliveries ON deliveries (campaign, relay, is_test, not_before) WHERE state = 'queued';
        CREATE INDEX deliveries_of_campaigns ON deliveries (campaign, is_test);
        CREATE INDEX deliveries_in_flight ON deliveries (relay) WHERE state = 'inFlight';
        CREATE TRIGGER closed_is_final BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state IN ('sent', 'bounced', 'withheld', 'expired', 'cancelled') AND NEW.state <> OLD.state
        BEGIN SELECT RAISE(ABORT, 'a closed delivery is never reopened'); END;
        CREATE TRIGGER only_the_queued_are_handed_over BEFORE UPDATE OF state ON deliveries
        WHEN NEW.state = 'inFlight' AND OLD.state <> 'queued'
        BEGIN SELECT RAISE(ABORT, 'only a queued delivery is handed over'); END;
        CREATE TRIGGER doubt_begins_in_flight BEFORE UPDATE OF state ON deliveries
        WHEN NEW.state = 'uncertain' AND OLD.state <> 'inFlight'
        BEGIN SELECT RAISE(ABORT, 'only a delivery in flight becomes uncertain'); END;
        CREATE TRIGGER what_was_handed_over_is_answered_or_in_doubt BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state = 'inFlight' AND NEW.state IN ('withheld', 'expired', 'cancelled')
        BEGIN SELECT RAISE(ABORT, 'what was handed over is answered or in doubt'); END;
        CREATE TRIGGER doubt_is_settled BEFORE UPDATE OF state ON deliveries
        WHEN OLD.state = 'uncertain' AND NEW.state NOT IN ('uncertain', 'sent', 'queued')
        BEGIN SELECT RAISE(ABORT, 'doubt ends in sent or queued'); END;
        CREATE TRIGGER sent_was_in_flight BEFORE UPDATE OF state ON deliveries
        WHEN NEW.state = 'sent' AND OLD.state NOT IN ('inFlight', 'uncertain')
        BEGIN SELECT RAISE(ABORT, 'only what was handed over is sent'); END;
        CREATE TRIGGER deliveries_stay_in_their_campaign BEFORE UPDATE OF id, campaign, is_test ON deliveries
        BEGIN SELECT RAISE(ABORT, 'a delivery stays in its campaign'); END;
        CREATE TRIGGER deliveries_begin_unsent BEFORE INSERT ON deliveries
        WHEN NEW.state NOT IN ('queued', 'withheld')
        BEGIN SELECT RAISE(ABORT, 'a delivery begins queued or withheld'); END;
        CREATE TRIGGER planned_deliveries_are_kept BEFORE DELETE ON deliveries
        WHEN (SELECT state FROM campaigns WHERE number = OLD.campaign) <> 'planning'
        BEGIN SELECT RAISE(ABORT, 'planned deliveries are kept'); END;

        CREATE TABLE set_asides (
          campaign INTEGER NOT NULL REFERENCES campaigns (number),
          ordinal INTEGER NOT NULL,
          address TEXT NOT NULL,
          reason TEXT NOT NULL,
          place TEXT NOT NULL,
          PRIMARY KEY (campaign, ordinal)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE tallies (
          campaign INTEGER NOT NULL,
          is_test INTEGER NOT NULL,
          state TEXT NOT NULL,
          reason TEXT NOT NULL,
          count INTEGER NOT NULL,
          PRIMARY KEY (campaign, is_test, state, reason)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER tally_changes AFTER UPDATE OF state ON deliveries WHEN NEW.state <> OLD.state
        BEGIN
          UPDATE tallies SET count = count - 1 WHERE campaign = OLD.campaign AND is_test = OLD.is_test
            AND state = OLD.state AND reason = CASE OLD.state WHEN 'withheld' THEN OLD.reason ELSE '' END;
          INSERT INTO tallies VALUES (NEW.campaign, NEW.is_test, NEW.state,
            CASE NEW.state WHEN 'withheld' THEN NEW.reason ELSE '' END, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER sending_times AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'sent' AND NEW.is_test = 0
        BEGIN
          UPDATE campaigns SET first_sent_at = coalesce(first_sent_at, NEW.sent_at), last_sent_at = NEW.sent_at
            WHERE number = NEW.campaign;
        END;
        CREATE TABLE consent_tallies (
          campaign INTEGER NOT NULL,
          status TEXT NOT NULL,
          count INTEGER NOT NULL,
          PRIMARY KEY (campaign, status)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE slots (
          relay TEXT PRIMARY KEY,
          boot_id TEXT NOT NULL,
          at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
