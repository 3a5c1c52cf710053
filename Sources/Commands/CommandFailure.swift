import ArgumentParser
import Ledger

/// Why a command did not do what it was asked, in words that tell what to do.
struct CommandFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Exit statuses, after sysexits.h.
    enum Status: Int32, Sendable {
        /// It was refused, or what was looked at is not as it should be.
        case refused = 1
        /// `EX_UNAVAILABLE`: what the command needs is not there.
        case unavailable = 69
        /// `EX_TEMPFAIL`: it may work later.
        case temporary = 75
        /// `EX_NOPERM`.
        case permission = 77
        /// `EX_CONFIG`.
        case configuration = 78
    }

    /// The first says what, those behind it say more.
    let lines: [String]
    let status: Status

    var description: String { lines.joined(separator: "\n") }

    init(_ lines: [String], status: Status = .refused) {
        self.lines = lines
        self.status = status
    }

    init(_ line: String, status: Status = .refused) {
        self.init([line], status: status)
    }

    /// Runs a command's work; a failure is said on standard error, and becomes the exit status.
    static func reported<Result>(_ work: () async throws -> Result) async throws -> Result {
        do {
            return try await work()
        } catch let failure as CommandFailure {
            throw told(failure)
        } catch let error as LedgerError {
            throw told(CommandFailure(error))
        } catch  where !(error is ExitCode || error is ValidationError || error is CleanExit) {
            // Its words may come from elsewhere too.
            throw told(CommandFailure("\(error)", status: .temporary))
        }
    }

    private static func told(_ failure: CommandFailure) -> ExitCode {
        Terminal.complain(["campaignctl: " + (failure.lines.first ?? "")] + failure.lines.dropFirst())
        return ExitCode(failure.status.rawValue)
    }
}
