extension LedgerSchema {
    /// Counts by relay are kept too: what metrics show must not be counted anew each time.
    ///
    /// The state `doubt` counts how often a delivery became uncertain, whether or not that was settled.
    static let relayTallies = """
        CREATE TABLE relay_tallies (
          campaign INTEGER NOT NULL,
          relay TEXT NOT NULL,
          is_test INTEGER NOT NULL,
          state TEXT NOT NULL,
          count INTEGER NOT NULL,
          PRIMARY KEY (campaign, relay, is_test, state)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO relay_tallies
          SELECT campaign, relay, is_test, state, count(*) FROM deliveries GROUP BY campaign, relay, is_test, state;
        INSERT INTO relay_tallies
          SELECT campaign, relay, is_test, 'doubt', sum(doubts) FROM deliveries WHERE doubts > 0
          GROUP BY campaign, relay, is_test;
        CREATE TRIGGER relay_tally_changes AFTER UPDATE OF state ON deliveries WHEN NEW.state <> OLD.state
        BEGIN
          UPDATE relay_tallies SET count = count - 1 WHERE campaign = OLD.campaign AND relay = OLD.relay
            AND is_test = OLD.is_test AND state = OLD.state;
          INSERT INTO relay_tallies VALUES (NEW.campaign, NEW.relay, NEW.is_test, NEW.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER relay_doubts_are_counted AFTER UPDATE OF state ON deliveries
        WHEN NEW.state = 'uncertain' AND OLD.state = 'inFlight' AND OLD.repeating = 0
        BEGIN
          INSERT INTO relay_tallies VALUES (NEW.campaign, NEW.relay, NEW.is_test, 'doubt', 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        """

    /// The hand-overs of the last hour, each by itself: a delivery that is tried again is handed over again.
    static let handOvers = """
        CREATE TABLE hand_overs (
          relay TEXT NOT NULL,
          at INTEGER NOT NULL,
          delivery INTEGER NOT NULL,
          PRIMARY KEY (relay, at, delivery)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO hand_overs
          SELECT relay, intent_at, id FROM deliveries
          WHERE intent_at > (SELECT max(intent_at) FROM deliveries) - 3600000;
        CREATE TRIGGER hand_overs_are_kept_for_an_hour AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'inFlight'
        BEGIN
          DELETE FROM hand_overs WHERE relay = NEW.relay AND at <= NEW.intent_at - 3600000;
          DELETE FROM hand_overs WHERE relay = NEW.relay AND at > NEW.intent_at + 3600000;
          INSERT OR IGNORE INTO hand_overs VALUES (NEW.relay, NEW.intent_at, NEW.id);
        END;
        """
}
