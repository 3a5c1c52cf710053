import Foundation
import Mailing

/// What the tests of the core share: short ways to write its values.
func address(_ text: String) throws -> EmailAddress {
    try EmailAddress(parsing: text) { $0.precomposedStringWithCanonicalMapping }
}

func seconds(_ count: Int64) -> Timestamp { Timestamp(milliseconds: count * 1000) }

func reply(_ code: Int, _ text: String = "") -> SMTPReply { SMTPReply(code: code, lines: [text]) }

/// Every outcome that there is.
let everyOutcome: [Outcome] = [
    .sent, .bounced(suppress: true), .bounced(suppress: false), .deferred(isGreylisting: true),
    .deferred(isGreylisting: false), .policyRefusal, .routeTrouble, .senderTrouble, .uncertain,
]

/// All sequences over an alphabet that are so long.
func sequences<Element>(of alphabet: [Element], length: Int) -> [[Element]] {
    guard length > 0 else { return [[]] }
    let shorter = sequences(of: alphabet, length: length - 1)
    return shorter.flatMap { sequence in alphabet.map { sequence + [$0] } }
}
