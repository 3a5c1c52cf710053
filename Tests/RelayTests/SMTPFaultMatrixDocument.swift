import Foundation
import Mailing
import TestSupport

/// The table of outcomes as people read it.
enum MatrixDocument {
    /// The committed file.
    static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/Relay/FAULTS.md")

    /// Whether the file is to be written and not compared.
    static var isToBeWritten: Bool {
        ProcessInfo.processInfo.environment["CAMPAIGND_WRITE_DOCUMENTS"] == "1"
    }

    static func text(_ seen: [SMTPFaultMatrix.Cell: MatrixObservation]) -> String {
        var lines: [String] = []
        for phase in SMTPFaultMatrix.Phase.allCases {
            for fault in SMTPFaultMatrix.Fault.allCases {
                let found = SMTPFaultMatrix.Link.allCases.map { link in
                    seen[SMTPFaultMatrix.Cell(phase: phase, fault: fault, link: link)].map { words($0) }
                }
                guard found.contains(where: { $0 != nil }) else { continue }
                let cells = found.map { $0 ?? "–" }
                lines.append(
                    "| \(phase.rawValue) | \(fault.rawValue) | \(cells.joined(separator: " | ")) |")
            }
        }
        return introduction + lines.joined(separator: "\n") + "\n"
    }

    private static func words(_ seen: MatrixObservation) -> String {
        let message =
            switch seen.first.outcome {
            case .sent: "sent"
            case .bounced: "bounced"
            case .uncertain: "**uncertain**"
            case .deferred: "queued: deferred"
            case .routeTrouble: "queued: route"
            case .senderTrouble: "queued: sender"
            case .policyRefusal: "queued: policy"
            }
        return "\(message), \(seen.second.isFresh == false ? "kept" : "new")"
    }

    private static let introduction = """
        # What becomes of a message when the relay misbehaves

        Made by `SMTPFaultMatrixTests` from what it sees. That test fails when this page and the connection differ; to
        write the page anew: `CAMPAIGND_WRITE_DOCUMENTS=1 swift test --filter SMTPFaultMatrixTests`.

        In each trial a server does one thing wrong, once, at one step of the session with the first message. Then a
        second message is handed over, and after it the first one again if it is still queued. In every trial the second
        message was sent, what was queued was sent when it was tried again, no reply to one message was taken for a
        reply to the other, and the server read exactly as many dots as the connection says it wrote.

        The one rule behind the table: up to the dot, a fault leaves the message in the queue, because a server must
        drop what it has no dot for (RFC 5321 4.1.1.10); only a refusal of the recipient or of the content closes it.
        From the first byte of the dot on, one whole proper reply decides, and nothing else does: without it the message
        is `uncertain` and is not offered again, unless evidence or a person says so.

        | word | the message |
        |---|---|
        | sent | a 2yz answered its dot |
        | bounced | refused for good |
        | queued: deferred | refused for now: tried again later, and the attempt counts |
        | queued: route | it costs the message nothing; the relay is left alone for a while |
        | queued: sender | the relay does not want the sender: the campaign is paused |
        | **uncertain** | its dot may have been read |

        | word | the connection |
        |---|---|
        | kept | the next message went over it |
        | new | the next message went over a new one |

        - *connect* comes before the greeting, and before the handshake where TLS begins with the first byte.
        - *EHLO* in the column STARTTLS is the one in clear.
        - AUTH: libcurl throws away what comes in one packet with the reply, and all is in order after it.
        - *before MAIL* the session stands, and nothing has been asked: what the server says answers nothing.
        - *body* lies between the server's 354 and our dot. Whatever the server says there, the dot is not written: it
          could be taken for the answer to the dot. A server that says nothing is as it should be, and gets the dot. One
          that reads nothing more gets none if the message is larger than what the systems between will hold for it.
        - At *RSET* the message has been refused already, with a 550 to its RCPT; at *idle* it has been sent already.
        - *299* and *399* are codes of a known class that nobody uses: in the place of a 2yz or 3yz they are as good.
        - An unasked reply that arrives after the next command has been written cannot be told from the reply to it.
          From then on there is one reply too many, and at the latest DATA, which only a 354 answers, ends the
          connection.

        | step | the server | plain | STARTTLS | TLS |
        |---|---|---|---|---|

        """
}
