import Mailing
import Testing

@testable import Relay

@Suite struct GreetingTraceTests {
    private func trace(_ security: SMTPRelaySettings.Security, _ lines: String...) -> GreetingTrace {
        var trace = GreetingTrace(security: security)
        for line in lines { trace.received((line + "\r\n").utf8) }
        return trace
    }

    @Test func `the steps follow each other`() {
        #expect(trace(.startTLS).awaited == .greeting)
        #expect(trace(.startTLS, "220 hi").awaited == .hello)
        #expect(trace(.startTLS, "220 hi", "250-a", "250 STARTTLS").awaited == .encryption)
        #expect(trace(.startTLS, "220 hi", "250 a", "220 go").awaited == .hello)
        #expect(trace(.startTLS, "220 hi", "250 a", "220 go", "250 a").awaited == .authentication)
        #expect(trace(.plainLoopback, "220 hi", "250 a").awaited == .authentication)
    }

    @Test func `only the offers after encryption count`() {
        let trace = trace(.startTLS, "220 hi", "250-a", "250 SMTPUTF8", "220 go", "250-a", "250 AUTH PLAIN LOGIN")
        #expect(!trace.extensions.smtpUTF8)
        #expect(trace.mechanisms == ["PLAIN", "LOGIN"])
    }

    @Test func `only a 235 authenticates`() {
        #expect(trace(.implicitTLS, "220 hi", "250 a", "334 ", "235 ok").isAuthenticated)
        #expect(!trace(.implicitTLS, "220 hi", "250 a", "334 ", "250 ok").isAuthenticated)
        #expect(!trace(.implicitTLS, "235 hi", "250 a").isAuthenticated)
    }

    @Test func `the latest reply keeps its step`() {
        let latest = trace(.startTLS, "220 hi", "250 a", "454 4.7.0 no").latest
        #expect(latest?.phase == .encryption)
        #expect(latest?.reply == SMTPReply(code: 454, lines: ["4.7.0 no"]))
    }

    @Test func `what is not SMTP is named`() {
        #expect(trace(.plainLoopback, "hello").violation == "a reply line does not begin with a code")
    }
}
