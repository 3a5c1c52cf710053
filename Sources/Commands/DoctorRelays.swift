import Daemon
import Foundation
import Mailing

extension Doctor {
    /// Each is greeted, and left again.
    func relays(_ configuration: Configuration) async -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for (name, relay) in configuration.relays.sorted(by: { $0.key < $1.key }) {
            findings += await examine(relay: name, relay)
        }
        return findings
    }

    private func examine(relay name: String, _ relay: Configuration.Relay) async -> [DoctorFinding] {
        let check = "relay \(name)"
        guard let outcome = await RelayProbe.tryOut(relay, credentials: surroundings.credentials) else {
            return [maildir(check, String(relay.url.drop { $0 != ":" }.dropFirst()))]
        }
        if let (phase, reason) = outcome.failure {
            return [DoctorFinding(check, .fault, reason, remedy: Doctor.remedy(phase, reason))]
        }
        let peer = outcome.peer ?? relay.url
        if let why = outcome.loginSkipped {
            return [
                DoctorFinding(
                    check, .unknown, "\(peer) answers, but logging in was not tried: \(why)",
                    remedy: "run this as root or as campaignd, while campaignd runs")
            ]
        }
        let login = relay.username == nil ? "" : ", and lets us log in"
        return [DoctorFinding(check, .ok, "\(peer) answers\(login); no mail was sent")]
    }

    /// - Parameter reason: The sentence of ours, with OpenSSL's or the server's words in it.
    private static func remedy(_ phase: SMTPPhase, _ reason: String) -> String {
        switch phase {
        case .encryption:
            if reason.contains("does not offer STARTTLS") {
                return
                    "let the mail server offer STARTTLS, or write smtps:// in url if it wants TLS from the first byte"
            }
            if reason.contains(" answered ") { return "see the log of the mail server for why it refuses STARTTLS" }
            if reason.contains("has expired") { return "have the certificate of the mail server renewed" }
            if reason.contains("no alternative certificate subject name matches") {
                return "write the name in url that the certificate has, or have the certificate made for this one"
            }
            return "have the certificate mended, or name its authority in ca_file"
        case .authentication:
            return reason.contains("offers no way to log in")
                ? "let the mail server offer AUTH (many do so only under TLS), or take username out of this relay"
                : "mend username and the password of this relay, then restart campaignd"
        default: return "mend url, name resolution or the firewall, or start the mail server"
        }
    }

    private func maildir(_ check: String, _ directory: String) -> DoctorFinding {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory) else {
            return DoctorFinding(check, .ok, "\(directory) is made with the first message")
        }
        guard isDirectory.boolValue else {
            return DoctorFinding(
                check, .fault, "\(directory) is not a directory", remedy: "remove it, or let url name another place")
        }
        return DoctorFinding(check, .ok, "\(directory) is there; messages are delivered into it, and go no further")
    }
}
