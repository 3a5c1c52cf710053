/// Nothing of the daemon runs on the threads that Swift and libdispatch share among all: once they have worked,
/// libdispatch wakes the process every second to look after them. `QueueExecutor` tells more.
///
/// The rule reads lines. What it misses, `SystemTests` count.
enum SharedThreadRules {
    /// campaignctl lives for one command.
    static let mayShare: Set<String> = ["Commands", "campaignctl"]

    private static let advice: [(mark: String, advice: String)] = [
        ("Task.sleep", "sleep by Clocks.sleep or Bell.wait(until:)"),
        (".global(", "give it a DispatchQueue of its own"),
        (".concurrent", "give it a DispatchQueue of its own, which is serial"),
        ("OperationQueue", "give it a DispatchQueue of its own"),
        ("asyncAfter", "sleep by Clocks.sleep or Bell.wait(until:)"),
        ("@MainActor", "give it the executor of a part of the daemon"),
    ]

    /// Who waits in a line of continuations is put into it under the lock under which it is decided whether they have
    /// to: only these do it.
    static let lines: Set<String> = ["Alarms.swift", "Bell.swift", "RelayLane+Records.swift"]

    static func check(_ source: SwiftSource) -> [Finding] {
        guard let module = source.module, !source.isOfTests, !mayShare.contains(module) else { return [] }
        let keepsLine = lines.contains(source.path.split(separator: "/").last.map(String.init) ?? "")
        return source.code.enumerated().flatMap { index, line in
            var found = problems(line).map { "runs on threads that are shared: \($0)" }
            if line.contains("Continuation {"), !keepsLine { found.append("no line of its own: use Bell or Gate") }
            return found.map { Finding(file: source.path, line: index + 1, advice: $0) }
        }
    }

    private static func problems(_ line: String) -> [String] {
        advice.filter { line.contains($0.mark) }.map(\.advice)
            + (beginsTask(line) ? ["say where: Task(executorPreference: executor.forTasks)"] : [])
    }

    /// Whether the line begins a task that takes nothing over from the one that begins it.
    private static func beginsTask(_ line: String) -> Bool {
        ["Task {", "Task(", "Task.detached {", "Task.detached("].contains { beginning in
            var rest = line[...]
            while let range = rest.firstRange(of: beginning) {
                let isWord =
                    range.lowerBound == line.startIndex
                    || !SwiftSource.isOfName(line[line.index(before: range.lowerBound)])
                rest = rest[range.upperBound...]
                if isWord, !rest.hasPrefix("executorPreference:") { return true }
            }
            return false
        }
    }
}
