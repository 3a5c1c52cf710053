import Dispatch
import Foundation
import Synchronization
import TestSupport

/// Plays many fates of one scenario, or many worlds, on all processors, and adds up what came of them.
struct Trials: Sendable {
    /// One world that is to be played.
    struct Trial: Sendable {
        var scenario: Scenario
        var fate: World.Fate
        /// By which it can be played again.
        var label: String
    }

    /// What came of all of them.
    struct Sum: Sendable {
        var worlds = 0
        var crashes = 0
        var failedSteps = 0
        var dots = 0
        var doubles = 0
        var losses = 0
        var unexplained = 0
        /// The first few that went wrong: label, reasons and the end of the journal.
        var failures: [String] = []
        /// The reasons of all.
        var reasons: Set<String> = []
        /// Steps of the runs of the one world that was played, and those of each before it waited for anything.
        var steps: [Int] = []
        var recoveries: [Int] = []

        var isGood: Bool { doubles + losses + unexplained == 0 }

        /// Whether one failed for a reason that has these words.
        func fails(_ words: String) -> Bool { reasons.contains { $0.contains(words) } }

        static func + (left: Sum, right: Sum) -> Sum {
            var sum = left
            sum.worlds += right.worlds
            sum.crashes += right.crashes
            sum.failedSteps += right.failedSteps
            sum.dots += right.dots
            sum.doubles += right.doubles
            sum.losses += right.losses
            sum.unexplained += right.unexplained
            sum.failures = Array((sum.failures + right.failures).prefix(5))
            sum.reasons.formUnion(right.reasons)
            return sum
        }

        /// For the table of all proofs.
        func report(_ trial: String) {
            Proof.count(trial, .worlds, worlds)
            Proof.count(trial, .crashes, crashes)
            Proof.count(trial, .doubles, doubles)
            Proof.count(trial, .losses, losses)
            Proof.count(trial, .unexplained, unexplained)
        }
    }

    /// Plays them all, or as many as it takes until one fails for a reason that has these words.
    static func play(_ trials: [Trial], until words: String? = nil) async -> Sum {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let sum = Mutex(Sum())
                DispatchQueue.concurrentPerform(iterations: trials.count) { index in
                    if let words, sum.withLock({ $0.fails(words) }) { return }
                    let one = playHere(trials[index])
                    sum.withLock { $0 = $0 + one }
                }
                continuation.resume(returning: sum.withLock { $0 })
            }
        }
    }

    /// Plays one, on a thread that no task of the language uses.
    static func play(_ trial: Trial) async -> Sum {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: playHere(trial)) }
        }
    }

    private static func playHere(_ trial: Trial) -> Sum {
        var sum = Sum(worlds: 1)
        do {
            let record = try World(trial.scenario, fate: trial.fate).play()
            let verdict = Judge.judge(record, of: trial.scenario)
            sum.crashes = record.crashes
            sum.failedSteps = record.failedSteps
            sum.dots = record.dots.count
            sum.steps = record.steps
            sum.recoveries = record.recoveries
            sum.doubles = verdict.doubles.count
            sum.losses = verdict.losses.count
            sum.unexplained = verdict.unexplained.count
            if !verdict.isGood {
                sum.reasons = Set(verdict.description.split(separator: "\n").map(String.init))
                sum.failures = ["\(trial.label):\n\(verdict)\n\(record.journal.suffix(60).joined(separator: "\n"))"]
            }
        } catch {
            sum.unexplained = 1
            sum.failures = ["\(trial.label): the world cannot be played: \(error)"]
        }
        return sum
    }

    /// Writes one line to the standard output.
    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("figures: \(line)\n".utf8))
    }
}
