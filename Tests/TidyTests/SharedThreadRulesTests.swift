import Testing

struct SharedThreadRulesTests {
    @Test func `nothing of the daemon runs on threads that are shared`() throws {
        let findings = try Repository.read().swift.flatMap { SharedThreadRules.check($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test(arguments: [
        "Task { await run() }", "let task = Task(priority: .low) { await run() }", "Task.detached { await run() }",
        "Task.detached(priority: .medium) { await run() }", "try await Task.sleep(for: .seconds(1))",
        "DispatchQueue.global().async {}", "DispatchQueue(label: \"a\", attributes: .concurrent)",
        "queue.asyncAfter(deadline: soon) {}", "let queue = OperationQueue()", "@MainActor func show() {}",
        "await withCheckedContinuation { waiters.append($0) }",
        "lanes[name] = (lane, Task { await lane.run() })",
    ])
    func `a forbidden line is found`(line: String) {
        let source = SwiftSource(path: "Sources/Daemon/A.swift", text: "\n\(line)\n")
        #expect(SharedThreadRules.check(source).map(\.line) == [2])
        #expect(SharedThreadRules.check(SwiftSource(path: "Sources/Commands/A.swift", text: line)) == [])
    }

    @Test(arguments: [
        "Task(executorPreference: executor.forTasks) { await run() }", "let task: Task<Void, Never>",
        "Task.detached(executorPreference: executor, priority: .medium) {}", "try Task.checkCancellation()",
        "group.addTask { await run() }", "DispatchQueue(label: \"campaignd.clock\")", "while !Task.isCancelled {}",
        "group.addTask(executorPreference: executor.forTasks) { await run() }", "// Task { await run() }",
    ])
    func `a permitted line is not found`(line: String) {
        #expect(SharedThreadRules.check(SwiftSource(path: "Sources/Daemon/A.swift", text: line)) == [])
    }
}
