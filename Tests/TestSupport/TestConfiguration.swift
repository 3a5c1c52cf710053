/// The text of a daemon's configuration file.
package struct TestConfiguration: Sendable {
    /// One `[relays.NAME]` table.
    package struct Relay: Sendable {
        /// A bare key of TOML.
        package var name: String
        /// `smtp://…`, `smtps://…` or `maildir:DIR`.
        package var url: String
        /// Written as it is, out of bounds too.
        package var messagesPerHour: Int
        /// From addresses or patterns.
        package var senders: [String]
        /// Further lines of the table.
        package var lines: [String]

        /// A relay by its URL.
        package init(
            name: String = "default", url: String, messagesPerHour: Int = 3000,
            senders: [String] = ["*@library.example"], lines: [String] = []
        ) {
            self.name = name
            self.url = url
            self.messagesPerHour = messagesPerHour
            self.senders = senders
            self.lines = lines
        }

        /// A relay at a port of 127.0.0.1.
        package init(
            name: String = "default", port: UInt16, messagesPerHour: Int = 3000,
            senders: [String] = ["*@library.example"], lines: [String] = []
        ) {
            self.init(
                name: name, url: "smtp://127.0.0.1:\(port)", messagesPerHour: messagesPerHour, senders: senders,
                lines: lines)
        }
    }

    /// In the order of the file.
    package var relays: [Relay]
    /// Further lines of `[spool]`.
    package var spoolLines: [String] = []
    /// Further lines of `[ledger]`.
    package var ledgerLines: [String] = []
    /// Lines after everything else: further tables, such as `[sending]`.
    package var lines: [String]

    /// Relays and further tables; the rest by the properties.
    package init(relays: [Relay], lines: [String] = []) {
        self.relays = relays
        self.lines = lines
    }

    /// The whole file for a spool and a ledger at these paths.
    package func toml(spool: String, ledger: String) -> String {
        var all = ["[spool]", "directory = \(Self.quoted(spool))"] + spoolLines
        all += ["", "[ledger]", "path = \(Self.quoted(ledger))"] + ledgerLines
        for relay in relays {
            all += ["", "[relays.\(relay.name)]", "url = \(Self.quoted(relay.url))"]
            all.append("messages_per_hour = \(relay.messagesPerHour)")
            all.append("senders = [\(relay.senders.map(Self.quoted).joined(separator: ", "))]")
            all += relay.lines
        }
        if !lines.isEmpty { all += [""] + lines }
        return all.joined(separator: "\n") + "\n"
    }

    /// A TOML basic string.
    package static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
