import Dispatch
import Mailing
import Systemd
import UnixSignals

/// One request to read the configuration again.
struct Reload: Sendable {
    /// What a socket hears that asked; a signal hears nothing.
    private let request: ReloadRequest?

    init(_ request: ReloadRequest? = nil) {
        self.request = request
    }

    /// The file is good; relays whose settings changed are still being told.
    func accepted() { request?.say([Reload.accepted]) }

    func ended() { request?.say([Reload.inForce]) }

    /// Nothing was changed.
    func refused(_ mistakes: [String]) { request?.say(mistakes + [Reload.refused]) }

    /// The last line of an answer, or the one before it. A mistake is a sentence, and none of these words.
    static let accepted = "accepted"
    static let inForce = "in force"
    static let refused = "refused"
}

/// Through which the daemon is asked to read its configuration again: by SIGHUP, or by `campaignd --reload`, which
/// waits for the answer.
struct ReloadDoor {
    let reloads: AsyncStream<Reload>
    private let signals: Task<Void, Never>
    private let source: (any DispatchSourceRead)?

    /// - Parameters:
    ///   - directory: the runtime directory; nil if there is none, and so no door but the signal.
    ///   - executor: where it is waited for signals.
    init(directory: String?, executor: (any TaskExecutor)? = nil) throws(ReloadSocketError) {
        let (reloads, add) = AsyncStream.makeStream(of: Reload.self)
        self.reloads = reloads
        signals = Task(executorPreference: executor) {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { add.yield(Reload()) }
        }
        guard let directory else {
            source = nil
            return
        }
        let socket: ReloadSocket
        do throws(ReloadSocketError) {
            socket = try ReloadSocket(directory: directory)
        } catch {
            signals.cancel()
            throw error
        }
        let source = DispatchSource.makeReadSource(
            fileDescriptor: socket.fileDescriptor, queue: DispatchQueue(label: "campaignd.reload"))
        source.setEventHandler {
            while let request = socket.next() { add.yield(Reload(request)) }
        }
        source.resume()
        self.source = source
    }

    func close() {
        signals.cancel()
        source?.cancel()
    }
}

/// `campaignd --reload`: asks the running daemon, and waits for what becomes of it.
enum ReloadCommand {
    /// Seconds, for the whole; systemd gives a reload 90 (TimeoutStartSec=), and would tell nobody why it ended.
    static let patience = 75
    /// Words for whoever runs it by hand.
    static let notUnderSystemd =
        "$RUNTIME_DIRECTORY is not set, as it is where the unit runs this (ExecReload=): use systemctl reload "
        + "campaignd, or send the daemon SIGHUP and read its log"

    /// Returns what is to be told, and whether the new configuration was accepted.
    static func run(directory: String?, clocks: any Clocks) -> (words: [String], isAccepted: Bool) {
        guard let directory else { return ([notUnderSystemd], false) }
        var lines: [String] = []
        do throws(ReloadSocketError) {
            let ending = try ReloadSocket.ask(
                directory: directory, seconds: patience, now: { clocks.boot.nanoseconds }, heard: { lines.append($0) })
            return judge(lines, ending)
        } catch {
            return (["no daemon can be asked to reload: \(error)"], false)
        }
    }

    static func judge(_ lines: [String], _ ending: ReloadSocket.Ending) -> (words: [String], isAccepted: Bool) {
        let isAccepted = lines.first == Reload.accepted
        switch lines.last {
        case Reload.inForce: return ([], true)
        case Reload.refused: return (lines.filter { $0 != Reload.accepted && $0 != Reload.refused }, false)
        default: break
        }
        switch ending {
        case .late where isAccepted:
            let words =
                "the new configuration is accepted; after \(patience) s a relay whose settings changed still "
                + "owes the reply to a message, and goes on with the old ones until then"
            return ([words], true)
        case .late: return (["the daemon did not answer within \(patience) s; its log will tell how it ended"], false)
        case .closed: return (["the daemon ended before it answered: see journalctl --unit campaignd"], false)
        }
    }
}
