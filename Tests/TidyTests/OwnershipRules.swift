/// What only one module does: rule 4, and the one clock of rule 6.
enum OwnershipRules {
    /// Calls that make a thread or a task wait.
    static let waiting: Set<String> = [
        "sleep", "usleep", "nanosleep", "clock_nanosleep", "wait", "waitpid", "poll", "ppoll", "select", "pselect",
        "epoll_wait", "asyncAfter", "sigwait", "sigwaitinfo", "sem_wait", "pthread_cond_wait",
        "pthread_cond_timedwait",
    ]
    static let waitingTypes: Set<String> = ["DispatchSemaphore", "DispatchGroup", "NSCondition", "Timer"]
    static let mayWait = [
        Exemption(
            file: "Sources/Mailing/BootInstant.swift", word: "sleep",
            reason: "declares what the clock of the daemon can do, and calls nothing"),
        Exemption(
            file: "Sources/Mailing/Delivery.swift", word: "wait",
            reason: "names the decision that the daemon is to wait, and calls nothing"),
        Exemption(
            file: "Sources/Relay/CurlSession.swift", word: "poll",
            reason: "libcurl leaves waiting for its socket to the caller; on the relay's own thread, with a deadline"),
        Exemption(
            file: "Sources/Relay/CurlSession.swift", word: "wait", reason: "the one function around that poll(2)"),
        Exemption(file: "Sources/Relay/SMTPConnection.swift", word: "wait", reason: "calls that function"),
    ]

    static let clocks: Set<String> = [
        "Date", "clock_gettime", "gettimeofday", "ContinuousClock", "SuspendingClock", "DispatchTime",
        "DispatchWallTime",
        "CFAbsoluteTimeGetCurrent",
    ]
    static let mayReadClocks = [
        Exemption(
            file: "Sources/Daemon/SystemClocks.swift", word: "clock_gettime", reason: "the one clock"),
        Exemption(
            file: "Sources/Relay/BootClock.swift", word: "clock_gettime",
            reason: "the pace counts from the instant at which the dot was written, and only the relay sees that"),
        Exemption(
            file: "Sources/Relay/MaildirFile.swift", word: "clock_gettime",
            reason: "maildir(5) wants the time in the name of a file; nothing is decided by it"),
        Exemption(
            file: "Sources/Systemd/ServiceNotifier.swift", word: "clock_gettime",
            reason: "sd_notify(3) wants MONOTONIC_USEC with RELOADING=1"),
    ]

    /// What texts from elsewhere must not reach uncleaned, and the one file of the commands that writes there.
    static let writing: Set<String> = ["standardOutput", "standardError", "fputs", "STDERR_FILENO"]
    static let terminal = "Sources/Commands/Terminal.swift"

    /// Beginnings of SQL, as they stand in literals.
    static let statements = [
        "SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "CREATE TABLE", "CREATE INDEX", "CREATE TRIGGER",
        "ALTER TABLE",
        "DROP TABLE", "PRAGMA ", "BEGIN IMMEDIATE",
    ]

    /// Parts of paths that belong to the spool. `job.json` alone is also the name by which errors call a job: it is a
    /// path only with a slash.
    static let spoolNames: Set<String> = [
        "incoming", "receipts", "rejected", "inbound", "receipt.json", "recipients.csv", "job.json",
    ]

    static func check(_ source: SwiftSource) -> [Finding] {
        guard let module = source.module, !source.isOfTests else { return [] }
        var findings = source.code.enumerated().flatMap { index, line in
            SwiftSource.words(line).compactMap { word in
                problem(word, module: module, path: source.path).map {
                    Finding(file: source.path, line: index + 1, advice: $0)
                }
            }
        }
        for literal in source.literals {
            guard let advice = problem(literal: literal.text, module: module) else { continue }
            findings.append(Finding(file: source.path, line: literal.line, advice: advice))
        }
        return findings
    }

    private static func problem(_ word: SwiftSource.Word, module: String, path: String) -> String? {
        let isCall = word.after == "("
        if !Repository.meetingPlaces.contains(module),
            isCall && waiting.contains(word.text) || waitingTypes.contains(word.text),
            !Exemption.allows(word.text, in: path, by: mayWait)
        {
            return "only Daemon waits: return to it instead of \(word.text)"
        }
        if word.text == "Task", !Repository.meetingPlaces.contains(module) {
            return "only Daemon begins tasks: offer it an async function"
        }
        if clocks.contains(word.text), !Exemption.allows(word.text, in: path, by: mayReadClocks) {
            return "time comes from SystemClocks in Daemon, as an argument: no \(word.text)"
        }
        if module == "Commands", writing.contains(word.text), path != terminal {
            return "only Terminal writes what people read, and cleans it: no \(word.text)"
        }
        if module != "Relay", word.text.hasPrefix("CURL") || word.text.hasPrefix("curl_") {
            return "only Relay knows \(word.text): give others a type of Mailing or Relay"
        }
        return nil
    }

    private static func problem(literal: String, module: String) -> String? {
        if module != "Ledger", let statement = statements.first(where: { literal.contains($0) }) {
            return "only Ledger writes SQL (“\(statement)”): make it a verb of DeliveryLedger"
        }
        guard module != "Spool", !literal.contains(" "), !literal.contains("\n") else { return nil }
        let parts = literal.split(separator: "/").map(String.init)
        if let name = parts.first(where: { spoolNames.contains($0) }), literal != "job.json" {
            return "only Spool knows a path of the spool (“\(name)”): ask it"
        }
        return nil
    }
}
