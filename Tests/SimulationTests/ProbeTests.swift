import Foundation
import TestSupport
import Testing

struct ProbeTests {
    @Test func probe() async throws {
        let env = ProcessInfo.processInfo.environment
        let texts = ["small": Scenarios.small, "mixed": Scenarios.mixed, "eventful": Scenarios.eventful]
        let scenario = try Scenario(texts[env["SCENARIO"] ?? "small"] ?? "")
        for crash in stride(from: Int(env["FROM"] ?? "0") ?? 0, through: Int(env["TO"] ?? "0") ?? 0, by: Int(env["BY"] ?? "1") ?? 1) {
            let began = Date.now
            let sum = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(crashes: crash == 0 ? [] : [crash]), label: ""))
            Trials.say("crash \(crash): \(-began.timeIntervalSinceNow) s, steps \(sum.steps) \(sum.failures)")
        }
    }
    @Test func parallel() async throws {
        let scenario = try Scenario(Scenarios.small)
        let trials = (1...6).map { Trials.Trial(scenario: scenario, fate: World.Fate(), label: "t\($0)") }
        _ = await Trials.play(trials)
    }
    func runSync(_ command: String) throws -> String {
        let p = Process(); p.executableURL = URL(fileURLWithPath: "/bin/sh"); p.arguments = ["-c", command]
        let pipe = Pipe(); p.standardOutput = pipe; try p.run()
        return String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
}
