import GRDB
package import Mailing

/// What became of the deliveries of a campaign on a relay that is to carry them no more.
package struct Rerouted: Sendable, Equatable {
    package var campaign: Int64
    /// Given to the other relay.
    package var moved: Int
    /// In doubt; these stay, since they may have been handed over.
    package var uncertain: Int
    /// Handed over just now; these stay too.
    package var inFlight: Int
    /// Whether nothing is left to be moved; the control job has ended then.
    package var isDone = true
}

/// Why a control job could not reroute anything.
package enum RerouteRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    case nothingWaits(relay: String, uncertain: Int)
    case ended(CampaignState)

    package var description: String {
        switch self {
        case .nothingWaits(let relay, 0): "nothing of this campaign waits for the relay “\(relay)”"
        case .nothingWaits(let relay, let uncertain):
            "nothing of this campaign waits for the relay “\(relay)”; \(uncertain) of it are uncertain, and stay so "
                + "until they are settled"
        case .ended(let state): "the campaign is \(state.rawValue), so nothing of it is sent any more"
        }
    }
}

extension DeliveryLedger {
    /// Gives what a campaign has queued for one relay to another one, test mails included, piece by piece, so that
    /// replies and withdrawals need not wait for a large one. The last piece ends the control job. Nil if there is no
    /// such campaign.
    ///
    /// What was handed over stays: whether it is in doubt is a question to the relay that got it.
    ///
    /// - Parameters:
    ///   - moved: How many the pieces before this one have moved.
    ///   - limit: At most so many rows are moved now; call again while the result is not `isDone`.
    package func reroute(
        campaign job: JobID, _ route: ControlJob.Route, by control: JobID, moved: Int = 0, limit: Int = 5000
    ) throws(LedgerError) -> Result<Rerouted, RerouteRefusal>? {
        forgetPlaces()
        return try write { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT number, state, relays FROM campaigns WHERE job = ? AND state <> 'planning'",
                arguments: [job.text])
            guard let row else { return nil as Result<Rerouted, RerouteRefusal>? }
            guard let state = CampaignState(rawValue: row["state"]) else {
                throw LedgerError.storage(reason: "a campaign's row is not readable")
            }
            guard !state.isFinal else { return .failure(.ended(state)) }
            let number: Int64 = row["number"]
            try database.execute(
                sql: """
                    UPDATE deliveries SET relay = ? WHERE id IN (
                      SELECT id FROM deliveries WHERE campaign = ? AND relay = ? AND state = 'queued' LIMIT ?)
                    """,
                arguments: [route.to, number, route.from, limit])
            let piece = database.changesCount
            var rerouted = Rerouted(campaign: number, moved: moved + piece, uncertain: 0, inFlight: 0)
            rerouted.uncertain = try Self.count(database, number, relay: route.from, state: .uncertain)
            rerouted.inFlight = try Self.count(database, number, relay: route.from, state: .inFlight)
            guard rerouted.moved > 0 else {
                return .failure(.nothingWaits(relay: route.from, uncertain: rerouted.uncertain))
            }
            let relays = (row["relays"] as String).split(separator: " ").map(String.init)
            if !relays.contains(route.to) {
                try database.execute(
                    sql: "UPDATE campaigns SET relays = ? WHERE number = ?",
                    arguments: [(relays + [route.to]).joined(separator: " "), number])
            }
            guard piece < limit else {
                rerouted.isDone = false
                return .success(rerouted)
            }
            let stayed = ["uncertain": rerouted.uncertain, "inFlight": rerouted.inFlight].filter { $0.value > 0 }
            try Self.finish(
                database, job: control, registered: ["rerouted": rerouted.moved].merging(stayed) { first, _ in first },
                warnings: [])
            return .success(rerouted)
        }
    }

    private static func count(
        _ database: Database, _ campaign: Int64, relay: String, state: Delivery.State
    ) throws -> Int {
        try Int.fetchOne(
            database, sql: "SELECT count(*) FROM deliveries WHERE campaign = ? AND relay = ? AND state = ?",
            arguments: [campaign, relay, state.rawValue]) ?? 0
    }

    /// For which of its relays something of a campaign is queued.
    static func waitingRelays(_ database: Database, campaign: Int64, of relays: [String]) throws -> [String] {
        try relays.filter { relay in
            try Bool.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT EXISTS (SELECT 1 FROM deliveries WHERE campaign = ? AND relay = ? AND state = 'queued')
                        """), arguments: [campaign, relay]) ?? false
        }
    }
}
