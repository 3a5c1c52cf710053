import Testing

struct OwnershipRulesTests {
    @Test
    func `only Daemon waits and reads the clock, only Ledger writes SQL, only Relay knows curl, only Spool its paths`()
        throws
    {
        let findings = try Repository.read().swift.flatMap { OwnershipRules.check($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `no exemption is left over`() throws {
        let repository = try Repository.read()
        for exemption in OwnershipRules.mayWait + OwnershipRules.mayReadClocks {
            let source = try #require(repository.swift.first { $0.path == exemption.file }, "\(exemption.file) is gone")
            let words = source.code.flatMap { SwiftSource.words($0) }.map(\.text)
            #expect(words.contains(exemption.word), "\(exemption.file) no longer needs \(exemption.word)")
        }
    }

    @Test(arguments: [
        ("Ledger", "try await Task.sleep(for: .seconds(1))"), ("Relay", "usleep(10)"),
        ("Spool", "let gate = DispatchSemaphore(value: 0)"), ("Spool", "poll(&entry, 1, -1)"),
        ("Daemon", "let sql = \"SELECT * FROM deliveries\""), ("Spool", "query(\"PRAGMA user_version\")"),
        ("Daemon", "if code == CURLE_OK {}"), ("MIME", "curl_easy_cleanup(handle)"),
        ("Daemon", "let path = root + \"/incoming/\" + name"), ("Ledger", "open(\"\\(spool)/receipts/\\(name)\")"),
        ("Daemon", "read(directory + \"/job.json\")"), ("Daemon", "let now = Date()"), ("Spool", "let now = Date.now"),
        ("Ledger", "clock_gettime(CLOCK_REALTIME, &time)"),
        ("Commands", "FileHandle.standardError.write(data)"),
    ])
    func `a forbidden line is found`(module: String, line: String) {
        let source = SwiftSource(path: "Sources/\(module)/A.swift", text: "\n\(line)\n")
        #expect(!OwnershipRules.check(source).isEmpty)
        #expect(OwnershipRules.check(source).allSatisfy { $0.line == 2 })
    }

    @Test(arguments: [
        ("Daemon", "await clocks.sleep(until: slot)"), ("Ledger", "let sql = \"SELECT * FROM deliveries\""),
        ("Relay", "if code == CURLE_OK {}"), ("Spool", "let path = root + \"/incoming\""),
        ("Ledger", "// let now = Date(), as it was"), ("Daemon", "say(\"incoming/ was removed: restart\")"),
        ("Spool", "func isDate(_ text: String) -> Bool { false }"),
    ])
    func `a permitted line is not found`(module: String, line: String) {
        let source = SwiftSource(path: "Sources/\(module)/A.swift", text: "\n\(line)\n")
        #expect(OwnershipRules.check(source) == [])
    }
}
