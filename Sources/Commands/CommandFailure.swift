import ArgumentParser

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

    let description: String
    let status: Status

    init(_ description: String, status: Status = .refused) {
        self.description = description
        self.status = status
    }

    /// Runs a command's work; a failure is said on standard error, and becomes the exit status.
    static func reported<Result>(_ work: () async throws -> Result) async throws -> Result {
        do {
            return try await work()
        } catch let failure as CommandFailure {
            Terminal.complain("campaignctl: " + failure.description)
            throw ExitCode(failure.status.rawValue)
        }
    }
}
