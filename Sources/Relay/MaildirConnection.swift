import Glibc
package import Mailing

/// A relay that delivers into a Maildir (maildir(5)) on this machine.
///
/// The rename from tmp/ to new/ is its final dot: before it nobody sees the message, after it the message is
/// delivered. There is no instant of doubt but a directory that cannot be made durable.
package final actor MaildirConnection: RelayConnection {
    private let directory: String
    private let executor: QueueExecutor
    private var names = MaildirNames()
    private var isOpen = false
    /// The name of the message that waits in tmp/.
    private var offered: String?

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter directory: An absolute path; it and its tmp/, new/ and cur/ are made by `open` if they are lacking.
    package init(directory: String) {
        self.directory = directory
        executor = QueueExecutor(label: "maildir \(directory)")
    }

    package func open() -> RelayOpening {
        discard()
        for path in [directory, directory + "/tmp", directory + "/new", directory + "/cur"] {
            if let reason = prepare(path) {
                isOpen = false
                return .failed(.connect, reason)
            }
        }
        defer { isOpen = true }
        return .ready(fresh: !isOpen)
    }

    package func localPort() -> Int? { nil }

    /// Writes the message into tmp/ and makes it durable. A full disk refuses the message with 452.
    package func offer(_ envelope: Envelope, message: [UInt8]) -> RelayOffer {
        guard isOpen, offered == nil else { return .lost(.idle, "the Maildir \(directory) is not open or not free") }
        let name = names.next()
        let path = "\(directory)/tmp/\(name)"
        do throws(SystemCallFailure) {
            try MaildirFile.write(MaildirFile.content(envelope, message: message), to: path)
        } catch {
            unlink(path)
            guard [ENOSPC, EDQUOT, EFBIG].contains(error.code) else {
                isOpen = false
                return .lost(.body, error.description)
            }
            return .refused(.data, SMTPReply(code: 452, lines: ["4.3.1 \(error.description)"]))
        }
        offered = name
        return .armed
    }

    package func handOver(written: @Sendable (BootInstant?) -> Void = { _ in }) -> RelayHandOver {
        let ended = deliver()
        written(ended.writtenAt)
        return ended
    }

    private func deliver() -> RelayHandOver {
        guard let name = offered else {
            return RelayHandOver(ending: .notWritten("no message is ready to be handed over"), writtenAt: nil)
        }
        guard rename("\(directory)/tmp/\(name)", "\(directory)/new/\(name)") == 0 else {
            let failure = SystemCallFailure("the message could not be moved into \(directory)/new")
            discard()
            isOpen = false
            return RelayHandOver(ending: .notWritten(failure.description), writtenAt: nil)
        }
        let writtenAt = BootClock.now
        offered = nil
        do throws(SystemCallFailure) {
            try MaildirFile.synchronise(directory: directory + "/new")
            try MaildirFile.synchronise(directory: directory + "/tmp")
        } catch {
            isOpen = false
            return RelayHandOver(ending: .silent(error.description), writtenAt: writtenAt)
        }
        let reply = SMTPReply(code: 250, lines: ["2.0.0 delivered as \(name)"])
        return RelayHandOver(ending: .answered(reply), writtenAt: writtenAt)
    }

    /// Takes back a message that was offered and not handed over.
    package func close() {
        discard()
        isOpen = false
    }

    /// Does nothing: no call waits for anybody.
    package nonisolated func interrupt() {}

    private func discard() {
        if let name = offered { unlink("\(directory)/tmp/\(name)") }
        offered = nil
    }

    /// Makes a directory of mode 0700 unless it is there, and checks that files can be put into it.
    private func prepare(_ path: String) -> String? {
        let isNew = mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else { return SystemCallFailure("\(path) cannot be made").description }
        var status = stat()
        guard stat(path, &status) == 0 else { return SystemCallFailure("\(path) cannot be looked at").description }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "\(path) is not a directory" }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            return SystemCallFailure("\(path) cannot be written to").description
        }
        guard isNew else { return nil }
        do throws(SystemCallFailure) {
            try MaildirFile.synchronise(directory: MaildirFile.parent(of: path))
        } catch {
            return error.description
        }
        return nil
    }
}
