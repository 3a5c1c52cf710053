import Glibc
import Mailing
import TestSupport

/// A world drawn from a seed: the same one each time.
struct RandomScenario {
    private var generator: SeededGenerator
    private var scenario = Scenario()
    private var campaigns: [String] = []
    private let names = [
        "anna", "bert", "carl@post.example", "dora", "emil", "fred@post.example", "gina", "hans", "ilse@post.example",
        "jaap", "kees", "lena@school.example",
    ]
    private let domains = [Scenario.domain, "post.example"]

    /// The scenario and the fate of this seed.
    static func draw(_ seed: UInt64) -> (scenario: Scenario, fate: World.Fate) {
        var random = RandomScenario(generator: SeededGenerator(seed: seed))
        random.drawRelays()
        random.drawPeople()
        random.drawCampaigns()
        random.drawEvents()
        let fate = random.drawFate(seed)
        random.drawLimits()
        random.drawRoutes()
        random.drawReports()
        random.drawHours()
        random.drawReloads()
        random.scenario.events.sort { $0.seconds < $1.seconds }
        return (random.scenario, fate)
    }

    private init(generator: SeededGenerator) {
        self.generator = generator
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    private mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }
    private mutating func one<Element>(of elements: [Element], or other: Element) -> Element {
        elements.randomElement(using: &generator) ?? other
    }

    private mutating func drawRelays() {
        for index in 1...number(1...3) {
            scenario.relays.append(
                Scenario.Relay(
                    name: "relay\(index)", rate: one(of: [3000, 1800, 600], or: 3000), knowsKeys: chance(20)))
        }
        scenario.settings = [
            "retry_after = [\(number(20...90))]", "greylisting_retry_after = \(number(10...60))",
            "pause_after_uncertain = \(chance(70) ? 0 : 3)",
        ]
        if chance(30) { scenario.settings.append("messages_per_hour = \(one(of: [3000, 900], or: 3000))") }
    }

    private mutating func drawPeople() {
        for name in names.prefix(number(3...names.count)) {
            let consent = chance(80) ? "accepted" : chance(50) ? "refused" : "notAsked"
            scenario.people.append((name, consent))
            guard chance(45) else { continue }
            var answers: [SimulatedRelay.Answer] = []
            for _ in 1...number(1...3) {
                let word = one(of: Scenario.answerWords, or: "accept")
                if let answer = try? Scenario.answer(word) { answers.append(answer) }
            }
            scenario.answers.append((name, answers))
        }
    }

    private mutating func drawCampaigns() {
        let everybody = scenario.people.map(\.name)
        for index in 1...number(1...3) {
            let id = "campaign\(index)"
            campaigns.append(id)
            // Different people in each, or it would be held as the same mailing under another id.
            let people = everybody.filter { _ in chance(75) } + ["stranger\(index)"]
            add(Double(number(0...40)) / 10, .campaign(id, people))
        }
    }

    private mutating func drawEvents() {
        let everybody = scenario.people.map(\.name)
        for _ in 0..<number(0...8) {
            let at = Double(number(0...30_000)) / 1000
            let campaign = one(of: campaigns, or: "campaign1")
            switch number(1...12) {
            case 1...3: add(at, .withdraw(one(of: everybody, or: "anna")))
            case 4:
                add(at, .control("pause", campaign, settlement: nil, name: nil))
                add(at + Double(number(1...8000)) / 1000, .control("resume", campaign, settlement: nil, name: nil))
            case 5: add(at, .control("cancel", campaign, settlement: nil, name: nil))
            case 6: add(at + 5, .again(campaign, as: chance(50) ? campaign : "\(campaign)-copy"))
            case 7: add(at, .change("relay1", .rate(one(of: [3000, 1200, 300], or: 600))))
            case 8: add(at, .wall(Int64(number(-1200...7200))))
            case 9: add(at, .end(.stop, seconds: Double(number(0...50)) / 10))
            case 10: add(at, .end(.kill, seconds: Double(number(0...50)) / 10))
            case 11: add(at, .end(.reboot, seconds: Double(number(5...40))))
            default:
                let settlement = chance(50) ? "sent" : "resend"
                add(at + 40, .control("settle", campaign, settlement: settlement, name: nil))
            }
        }
    }

    private mutating func drawLimits() {
        for index in scenario.relays.indices where chance(20) {
            for domain in domains where chance(70) {
                scenario.relays[index].limits[domain] = one(of: [300, 240], or: 300)
            }
        }
    }

    private mutating func drawRoutes() {
        guard scenario.relays.count > 1, chance(40) else { return }
        for _ in 1...number(1...2) {
            let names = scenario.relays.map(\.name).shuffled(using: &generator)
            let at = Double(number(0...15_000)) / 1000
            add(at, .reroute(one(of: campaigns, or: "campaign1"), from: names[0], to: names[1]))
        }
    }

    /// Some campaigns are reported on to somebody who is in none of them.
    private mutating func drawReports() {
        guard chance(30) else { return }
        scenario.people.append(("olga", "accepted"))
        for campaign in campaigns where chance(70) { scenario.reports[campaign] = "olga" }
    }

    /// Windows that open and close in the first minutes, for some of them as clocks are set for a change of season,
    /// and a wall clock that is set back and forth over their edges.
    private mutating func drawHours() {
        guard chance(30) else { return }
        let edges = [
            ("2025-06-02T09:00:00Z", "UTC"), ("2025-06-01T18:15:00Z", "Asia/Kathmandu"),
            ("2025-10-26T01:00:00Z", "Europe/Amsterdam"), ("2025-03-30T01:00:00Z", "Europe/Amsterdam"),
            ("2025-04-05T15:00:00Z", "Australia/Lord_Howe"), ("2025-03-09T05:00:00Z", "America/Havana"),
        ]
        let (text, zone) = one(of: edges, or: ("2025-06-02T09:00:00Z", "UTC"))
        guard let edge = Timestamp(rfc3339: text) else { return }
        scenario.begin = edge.adding(seconds: Int64(-number(2...40)))
        for campaign in campaigns where chance(60) { scenario.hours[campaign] = hours(at: edge, zone) }
        for index in scenario.relays.indices where chance(40) { scenario.relays[index].window = window(at: edge, zone) }
        for _ in 0..<number(0...3) { add(Double(number(0...90_000)) / 1000, .wall(Int64(number(-400...400)))) }
        for _ in 0..<number(0...2) {
            let window = chance(40) ? nil : window(at: edge, zone)
            add(Double(number(0...60_000)) / 1000, .change("relay1", .window(window)))
        }
    }

    /// Closed for some minutes near the edge, by the clock before or after it.
    private mutating func window(at edge: Timestamp, _ zone: String) -> Hours {
        let (_, minute) = Hours.local(edge.adding(seconds: chance(50) ? -1 : 0), in: zone)
        let closes = minute + number(-1...2) + 1440
        return Hours(from: (closes + number(1...5)) % 1440, to: closes % 1440, zone: zone)
    }

    /// The same as one window, or as two on some days of the week.
    private mutating func hours(at edge: Timestamp, _ zone: String) -> [Hours] {
        let window = window(at: edge, zone)
        guard window.from > window.to, window.to > 0, chance(60) else { return [window] }
        let (day, _) = Hours.local(edge, in: zone)
        let days = Hours.everyDay.enumerated().filter { $0.offset != (day + 3) % 7 }.map(\.element)
        return [
            Hours(days: days, from: 0, to: window.to, zone: zone),
            Hours(days: days, from: window.from, to: 1440, zone: zone),
        ]
    }

    /// Limits that change, and a relay that is taken out of the configuration for a while.
    private mutating func drawReloads() {
        for _ in 0..<number(1...2) where chance(20) {
            let limit = chance(25) ? nil : one(of: [600, 300, 120], or: 300)
            let change = Scenario.Change.limit(limit, domain: one(of: domains, or: Scenario.domain))
            add(Double(number(0...40_000)) / 1000, .change("relay1", change))
        }
        if chance(15) { scenario.relays[0].milliseconds = Int64(number(100...1500)) }
        guard scenario.relays.count > 1, chance(20) else { return }
        let names = scenario.relays.map(\.name).shuffled(using: &generator)
        let at = Double(number(1000...15_000)) / 1000
        add(at, .change(names[0], .isConfigured(false)))
        for campaign in campaigns where chance(70) {
            add(at + Double(number(0...8000)) / 1000, .reroute(campaign, from: names[0], to: names[1]))
        }
        add(at + Double(number(9000...40_000)) / 1000, .change(names[0], .isConfigured(true)))
    }

    private mutating func add(_ seconds: Double, _ action: Scenario.Action) {
        scenario.events.append(Scenario.Event(seconds: seconds, action: action))
    }

    private mutating func drawFate(_ seed: UInt64) -> World.Fate {
        var fate = World.Fate(seed: chance(80) ? seed : nil)
        for _ in 0..<number(0...4) { fate.crashes.append(number(1...900)) }
        for _ in 0..<number(0...3) {
            var faults: [SimulatedDisk.Fault] = []
            for _ in 0..<number(0...2) {
                let first = number(1...900)
                let length = chance(60) ? number(0...3) : number(4...120)
                faults.append(
                    SimulatedDisk.Fault(
                        first: first, last: first + length, reason: one(of: [EIO, ENOSPC, EROFS], or: EIO),
                        only: chance(30) ? [.sync] : nil))
            }
            fate.faults.append(faults)
        }
        return fate
    }
}
