import Mailing
import Relay
import Testing

@Suite struct SMTPRelaySettingsTests {
    private func settings(_ host: String, _ change: (inout SMTPRelaySettings) -> Void = { _ in }) -> SMTPRelaySettings {
        var settings = SMTPRelaySettings(host: host, port: 587, helloName: "campaignd.example")
        change(&settings)
        return settings
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    func `TLS may be left out to this machine`(host: String) {
        #expect(settings(host).security == .plainLoopback)
        #expect(settings(host) { $0.requireTLS = true }.security == .startTLS)
        #expect(settings(host).problem == nil)
    }

    @Test(arguments: ["relay.example", "192.0.2.1", "2001:db8::1", "127.example", "1127.0.0.1"])
    func `TLS is required to every other machine`(host: String) {
        #expect(settings(host).security == .startTLS)
        #expect(settings(host).problem == nil)
        #expect(settings(host) { $0.requireTLS = false }.problem?.contains("must be encrypted") == true)
    }

    @Test func `user name and password come together and are not empty`() {
        #expect(settings("relay.example") { $0.username = "a" }.problem != nil)
        #expect(settings("relay.example") { $0.password = "a" }.problem != nil)
        #expect(settings("relay.example") { ($0.username, $0.password) = ("a", "") }.problem != nil)
        #expect(settings("relay.example") { ($0.username, $0.password) = ("a", "b\0c") }.problem != nil)
        #expect(settings("relay.example") { ($0.username, $0.password) = ("a", "b") }.problem == nil)
    }

    @Test(arguments: ["a\r\nMAIL FROM:<x>", "", "a b", "[192.0.2]", "[x]", "-a.example", "a..b", "a/b", "a%0d"])
    func `what cannot be said in EHLO is refused`(name: String) {
        #expect(settings("relay.example") { $0.helloName = name }.problem != nil)
    }

    @Test(arguments: ["mail.example.org", "localhost", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
    func `host names and address literals can be said in EHLO`(name: String) {
        #expect(settings("relay.example") { $0.helloName = name }.problem == nil)
    }

    @Test func `time limits and mechanisms have bounds`() {
        #expect(settings("relay.example") { $0.timeouts.dot = 0 }.problem != nil)
        #expect(settings("relay.example") { $0.connectSeconds = 100_000 }.problem != nil)
        #expect(settings("relay.example") { $0.authenticationMechanism = "PLAIN;x" }.problem != nil)
        #expect(settings("relay.example") { $0.authenticationMechanism = "CRAM-MD5" }.problem == nil)
    }

    @Test func `the default name for EHLO can be said`() {
        #expect(settings("relay.example") { $0.helloName = SMTPRelaySettings.defaultHelloName }.problem == nil)
    }
}
