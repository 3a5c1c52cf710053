import Mailing

/// What the configuration and the campaigns ask for beside the promise: pace, hours and ways.
extension Judge {
    /// Between two dots lies at least the interval of the highest rate that was in force at any moment between them:
    /// of the relay, of the domain, and of all relays together. So no sliding hour has more of them than the limit.
    ///
    /// A message that was taken up already as a domain was limited goes by what held then.
    mutating func judgePace() {
        for relay in scenario.relays {
            let dots = record.dots.filter { $0.relay == relay.name }
            judgeGaps(dots, "relay \(relay.name)") { tables in
                tables.first { $0.name == relay.name }?.rate
            }
            for domain in Set(dots.map(\.domain)).sorted() {
                judgeGaps(dots.filter { $0.domain == domain }, "relay \(relay.name) to \(domain)") { tables in
                    tables.first { $0.name == relay.name }?.limit(domain)
                }
            }
        }
        let key = "messages_per_hour = "
        let overall = scenario.settings.first { $0.hasPrefix(key) }.flatMap { Int($0.dropFirst(key.count)) }
        judgeGaps(record.dots, "all relays") { _ in overall }
    }

    /// - Parameter rate: Messages an hour by the relays' tables; nil for as many as there are.
    private mutating func judgeGaps(
        _ dots: [SimulatedRelay.Dot], _ name: String, rate: ([Scenario.Relay]) -> Int?
    ) {
        for (first, second) in zip(dots, dots.dropFirst()) {
            let rates = record.tables(from: first.at, to: second.at).map(rate)
            guard !rates.contains(nil), let highest = rates.compactMap({ $0 }).max() else { continue }
            guard second.at - first.at < 3_600_000_000_000 / Int64(highest) else { continue }
            verdict.unexplained.append(
                "two dots of \(name) are \((second.at - first.at) / 1_000_000) ms apart, at "
                    + "\(second.at / 1_000_000) ms")
        }
    }

    /// No dot leaves outside of the windows of its campaign and its relay, by the wall clock at that moment, whenever
    /// the message was begun. Only what is set or reloaded in the milliseconds before a dot comes too late for it.
    mutating func judgeHours() {
        for dot in record.dots {
            let own = scenario.hours[dot.campaign] ?? []
            let lately = dot.at - Observer.grace
            let steps = record.steppedWalls.filter { $0.at >= lately && $0.at <= dot.at }
            let walls = [dot.wall] + steps.map { dot.wall.adding(seconds: -$0.seconds) }
            let windows = record.tables(from: lately, to: dot.at).map { tables in
                tables.first { $0.name == dot.relay }?.window
            }
            let isInside = walls.contains { wall in
                (own.isEmpty || own.contains { $0.contains(wall) })
                    && windows.contains { $0?.contains(wall) ?? true }
            }
            guard !isInside else { continue }
            verdict.unexplained.append(
                "\(dot.recipient) got \(dot.campaign) by \(dot.relay) at \(dot.wall), outside of the window, at "
                    + "\(dot.at / 1_000_000) ms")
        }
    }

    /// After a reroute was answered the relay gets nothing of the campaign any more but what it had before.
    mutating func judgeRoutes() {
        for control in record.controls.values {
            guard let route = control.route, let seen = control.seenAt, !control.isRejected else { continue }
            let others = record.controls.values.filter { $0.campaign == control.campaign }
            let takenBack = others.filter {
                $0.route?.to == route.from && ($0.droppedAt >= control.droppedAt || $0.seenAt ?? .max >= seen)
            }
            let until = takenBack.map(\.droppedAt).min() ?? .max
            // What was in doubt stays with its relay, also when a person has it sent again.
            guard !others.contains(where: { $0.settlement == "resend" }) else { continue }
            let dots = record.dots.filter { $0.campaign == control.campaign && $0.relay == route.from }
            for dot in dots where dot.at > seen + Observer.grace && dot.at < until {
                let isKnown = dots.contains { $0.recipient == dot.recipient && $0.at < dot.at }
                guard !isKnown, !mayHaveBeenInFlight(dot) else { continue }
                verdict.unexplained.append(
                    "\(dot.recipient) got \(dot.campaign) by \(dot.relay) after that was rerouted to \(route.to)")
            }
        }
    }

    /// Whether an intent may have been recorded without a dot.
    private func mayHaveBeenInFlight(_ dot: SimulatedRelay.Dot) -> Bool {
        let isUnwritten = scenario.answers.contains {
            Scenario.address($0.name) == dot.recipient && $0.answers.contains(.notWritten)
        }
        // Without a dot before it, it is repeated under its key.
        let isRepeated = isKeyed(dot.relay) && record.crashedAt.contains { $0 < dot.at }
        return isUnwritten || isRepeated || record.failedSteps > 0
    }
}

extension Record {
    /// What may have been in force at some moment between two.
    func tables(from first: Int64, to last: Int64) -> [[Scenario.Relay]] {
        let begin = tables.lastIndex { $0.inForceAt ?? .max <= first } ?? 0
        return tables[begin...].filter { $0.writtenAt <= last }.map(\.relays)
    }
}
