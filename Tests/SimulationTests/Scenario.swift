import Mailing
import TestSupport

/// What happens in a simulated world, one line an event. A line is
///
///     begin MOMENT                      what the wall clock shows at the beginning
///     relay NAME RATE [keys]            a relay with its messages an hour; `keys`: it knows idempotency keys
///     slow RELAY MILLISECONDS           how long each of its round trips takes
///     setting LINE                      a line of the configuration's [sending]
///     report ID NAME                    the job of this campaign asks for a report to a person
///     person NAME accepted|refused|notAsked   NAME@DOMAIN if it is not the domain of all people
///     hours CAMPAIGN DAYS FROM TO ZONE  a window of a campaign, such as `daily 09:00 18:00 UTC`; more are allowed
///     answer NAME WORD …                what becomes of the attempts for a person, at every relay
///     [SECONDS] campaign ID NAME …      drops a campaign to these people over all relays
///     [SECONDS] again ID [AS]           drops the same campaign again, under its own name or another one
///     [SECONDS] withdraw NAME
///     [SECONDS] pause|resume|approve|cancel ID
///     [SECONDS] settle ID sent|resend [NAME]
///     [SECONDS] reroute ID FROM TO      gives what waits for one relay to another one
///     [SECONDS] rate RELAY RATE         changes the configuration and reloads it, as do the next four
///     [SECONDS] limit RELAY RATE|none [DOMAIN]   the messages an hour that it sends to a domain
///     [SECONDS] window RELAY DAYS FROM TO ZONE|none
///     [SECONDS] remove RELAY            it is not configured any more
///     [SECONDS] restore RELAY           it is again
///     [SECONDS] wall SECONDS            steps the wall clock
///     [SECONDS] stop|kill|reboot [SECONDS]   ends the daemon, which starts again after so long
///
/// and answers are `accept`, `421`, `450`, `550`, `5.1.1`, `5.7.1`, `451dot`, `554dot`, `lost`, `taken`, `untaken`,
/// `unwritten`, `unreachable`.
struct Scenario: Sendable {
    enum Action: Hashable, Sendable {
        case campaign(String, [String])
        case again(String, as: String)
        case withdraw(String)
        case control(String, String, settlement: String?, name: String?)
        case reroute(String, from: String, to: String)
        case change(String, Change)
        case wall(Int64)
        case end(End, seconds: Double)
    }

    /// How a daemon ends.
    enum End: Hashable, Sendable {
        case stop, kill, reboot
    }

    /// What becomes other in the table of a relay.
    enum Change: Hashable, Sendable {
        case rate(Int)
        /// Nil for as many as to any.
        case limit(Int?, domain: String)
        case window(Hours?)
        case isConfigured(Bool)
    }

    /// A relay as the configuration has it.
    struct Relay: Hashable, Sendable {
        var name: String
        var rate: Int
        var knowsKeys: Bool
        /// How long a round trip takes.
        var milliseconds: Int64 = 2
        /// Messages an hour by the domains to which it sends fewer than to others; its rate if that is less.
        var limits: [String: Int] = [:]
        var window: Hours?
        var isConfigured = true

        mutating func apply(_ change: Change) {
            switch change {
            case .rate(let rate): self.rate = rate
            case .limit(let limit, let domain): limits[domain] = limit
            case .window(let window): self.window = window
            case .isConfigured(let isConfigured): self.isConfigured = isConfigured
            }
        }

        /// Messages an hour to a domain; nil for as many as to any.
        func limit(_ domain: String) -> Int? { limits[domain].map { min($0, rate) } }
    }

    struct Event: Hashable, Sendable {
        var seconds: Double
        var action: Action
    }

    var relays: [Relay] = []
    var settings: [String] = []
    var people: [(name: String, consent: String)] = []
    var answers: [(name: String, answers: [SimulatedRelay.Answer])] = []
    /// Who is told of the end of a campaign, by its id.
    var reports: [String: String] = [:]
    var events: [Event] = []
    /// The windows of campaigns by their ids.
    var hours: [String: [Hours]] = [:]
    var begin = Moment.start.wall

    /// The address of a person.
    static func address(_ name: String) -> String { name.contains("@") ? name : "\(name)@\(domain)" }

    /// The domain of all people whose name has none.
    static let domain = "readers.example"

    /// The people of a campaign by its id.
    var campaigns: [String: [String]] {
        var found: [String: [String]] = [:]
        for event in events {
            if case .campaign(let id, let people) = event.action { found[id] = people }
        }
        return found
    }

    /// Whether a relay is not configured for a while: a job that wants it then is rejected.
    var takesRelaysAway: Bool {
        events.contains { if case .change(_, .isConfigured(false)) = $0.action { true } else { false } }
    }

    /// Whether some doubts pause a campaign.
    var pausesInDoubt: Bool { !settings.contains("pause_after_uncertain = 0") }

    /// Whether a relay refuses something by its policy: some of that in a row pauses a campaign.
    var refusesByPolicy: Bool {
        answers.contains { person in
            person.answers.contains { if case .reply(_, _, let text) = $0 { text.hasPrefix("5.7.") } else { false } }
        }
    }

    /// Whether a campaign is dropped again under another id: whichever comes second is held.
    func repeats(_ campaign: String) -> Bool {
        events.contains { if case .again(campaign, let id) = $0.action { id != campaign } else { false } }
    }

    init() {}

    /// Reads the lines; empty ones and those that begin with # count nothing.
    init(_ text: String) throws {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            do {
                if let seconds = Double(first) {
                    events.append(Event(seconds: seconds, action: try Self.action(Array(words.dropFirst()))))
                } else {
                    try read(words, line: String(line))
                }
            } catch {
                throw TestSupportError("line \(index + 1) of the scenario, “\(line)”: \(error)")
            }
        }
        events.sort { $0.seconds < $1.seconds }
    }

    private mutating func read(_ words: [String], line: String) throws {
        switch (words[0], words.count) {
        case ("relay", 3...4):
            guard let rate = Int(words[2]) else { throw TestSupportError("“\(words[2])” is no rate") }
            relays.append(Relay(name: words[1], rate: rate, knowsKeys: words.last == "keys"))
        case ("begin", 2):
            guard let moment = Timestamp(rfc3339: words[1]) else { throw TestSupportError("that is no moment") }
            begin = moment
        case ("slow", 3):
            guard let index = relays.firstIndex(where: { $0.name == words[1] }), let milliseconds = Int64(words[2])
            else { throw TestSupportError("“\(words[1])” is no relay or “\(words[2])” no time") }
            relays[index].milliseconds = milliseconds
        case ("hours", 6):
            hours[words[1], default: []].append(try Hours(words: words.dropFirst(2)))
        case ("setting", 2...):
            settings.append(words.dropFirst().joined(separator: " "))
        case ("report", 3):
            reports[words[1]] = words[2]
        case ("person", 3):
            people.append((words[1], words[2]))
        case ("answer", 3...):
            answers.append((words[1], try words.dropFirst(2).map(Self.answer)))
        default:
            events.append(Event(seconds: 0, action: try Self.action(words)))
        }
    }

    private static func action(_ words: [String]) throws -> Action {
        let number = words.last.flatMap { Double($0) }
        switch (words.first ?? "", words.count) {
        case ("campaign", 3...): return .campaign(words[1], Array(words.dropFirst(2)))
        case ("again", 2...3): return .again(words[1], as: words.last ?? "")
        case ("withdraw", 2): return .withdraw(words[1])
        case ("pause", 2), ("resume", 2), ("approve", 2), ("cancel", 2):
            return .control(words[0], words[1], settlement: nil, name: nil)
        case ("settle", 3...4):
            return .control("settle", words[1], settlement: words[2], name: words.count == 4 ? words[3] : nil)
        case ("reroute", 4): return .reroute(words[1], from: words[2], to: words[3])
        case ("rate", 3): if let number { return .change(words[1], .rate(Int(number))) }
        case ("limit", 3...4):
            guard words[2] == "none" || Int(words[2]) != nil else { break }
            return .change(words[1], .limit(Int(words[2]), domain: words.count == 4 ? words[3] : domain))
        case ("window", 3): if words[2] == "none" { return .change(words[1], .window(nil)) }
        case ("window", 6): return .change(words[1], .window(try Hours(words: words.dropFirst(2))))
        case ("remove", 2): return .change(words[1], .isConfigured(false))
        case ("restore", 2): return .change(words[1], .isConfigured(true))
        case ("wall", 2): if let number { return .wall(Int64(number)) }
        case ("stop", 1...2): return .end(.stop, seconds: number ?? 1)
        case ("kill", 1...2): return .end(.kill, seconds: number ?? 1)
        case ("reboot", 1...2): return .end(.reboot, seconds: number ?? 30)
        default: break
        }
        throw TestSupportError("there is no such event")
    }

    /// An answer by its word.
    static func answer(_ word: String) throws -> SimulatedRelay.Answer {
        switch word {
        case "accept": return .accept
        case "421": return .reply(.recipient, 421, "4.3.2 closing")
        case "450": return .reply(.recipient, 450, "4.2.0 try again later")
        case "550": return .reply(.recipient, 550, "no")
        case "5.1.1": return .reply(.recipient, 550, "5.1.1 no such user")
        case "5.7.1": return .reply(.data, 554, "5.7.1 not allowed")
        case "451dot": return .reply(.dot, 451, "4.3.0 try again later")
        case "554dot": return .reply(.dot, 554, "5.6.0 not this")
        case "lost": return .lost
        case "taken": return .silent(taken: true)
        case "untaken": return .silent(taken: false)
        case "unwritten": return .notWritten
        case "unreachable": return .unreachable
        default: throw TestSupportError("there is no answer “\(word)”")
        }
    }

    static let answerWords = [
        "accept", "421", "450", "550", "5.1.1", "5.7.1", "451dot", "554dot", "lost", "taken", "untaken", "unwritten",
        "unreachable",
    ]
}
