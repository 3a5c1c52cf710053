extension LedgerSchema {
    /// A campaign has hours of its own, and what was never handed over may change its relay.
    static let courses = """
        ALTER TABLE campaigns ADD COLUMN windows TEXT;
        CREATE TRIGGER windows_stay BEFORE UPDATE OF windows ON campaigns WHEN NEW.windows IS NOT OLD.windows
        BEGIN SELECT RAISE(ABORT, 'a campaign keeps its windows'); END;

        CREATE TRIGGER only_what_waits_changes_its_relay BEFORE UPDATE OF relay ON deliveries
        WHEN NEW.relay <> OLD.relay AND (OLD.state <> 'queued' OR NEW.state <> 'queued')
        BEGIN SELECT RAISE(ABORT, 'what was handed over stays with its relay'); END;
        CREATE TRIGGER relay_tallies_follow AFTER UPDATE OF relay ON deliveries WHEN NEW.relay <> OLD.relay
        BEGIN
          UPDATE relay_tallies SET count = count - 1 WHERE campaign = OLD.campaign AND relay = OLD.relay
            AND is_test = OLD.is_test AND state = OLD.state;
          INSERT INTO relay_tallies VALUES (NEW.campaign, NEW.relay, NEW.is_test, NEW.state, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
        END;
        """

    /// Finds what waits for one domain without looking at what waits for others.
    static let domains = """
        CREATE INDEX due_by_domain ON deliveries
          (campaign, relay, is_test, substr(address_key, instr(address_key, '@') + 1), not_before)
          WHERE state = 'queued';
        """
}
