import Relay
import Testing

@Suite struct RelayURLTests {
    @Test func `servers have default ports`() throws {
        #expect(
            try RelayURL.parse(url: "smtp://relay.example")
                == .smtp(host: "relay.example", port: 587, implicitTLS: false))
        #expect(
            try RelayURL.parse(url: "SMTPS://relay.example/")
                == .smtp(host: "relay.example", port: 465, implicitTLS: true))
    }

    @Test func `ports and addresses are read`() throws {
        #expect(
            try RelayURL.parse(url: "smtp://127.0.0.1:2525") == .smtp(host: "127.0.0.1", port: 2525, implicitTLS: false)
        )
        #expect(try RelayURL.parse(url: "smtp://[::1]:25") == .smtp(host: "::1", port: 25, implicitTLS: false))
        #expect(
            try RelayURL.parse(url: "smtps://[2001:db8::1]") == .smtp(host: "2001:db8::1", port: 465, implicitTLS: true)
        )
    }

    @Test func `a Maildir is a path`() throws {
        #expect(try RelayURL.parse(url: "maildir:/var/spool/x y") == .maildir(directory: "/var/spool/x y"))
        #expect(try RelayURL.parse(url: "maildir:outbox") == .maildir(directory: "outbox"))
    }

    @Test(arguments: [
        "", "relay.example", "http://relay.example", "smtp:relay.example", "smtp://", "smtp://:25", "smtp://a b",
        "smtp://relay.example:0", "smtp://relay.example:65536", "smtp://relay.example:+25", "smtp://relay.example:",
        "smtp://user:secret@relay.example", "smtp://relay.example/path", "smtp://relay.example?x", "smtp://[::1",
        "smtp://[::1]x", "smtp://::1", "smtp://relay_1.example", "smtp://relay.example\r\nX", "maildir:",
        "maildir:a\0b",
    ])
    func `everything else is refused with a sentence`(url: String) {
        #expect(throws: RelayURLError.self) { try RelayURL.parse(url: url) }
    }

    @Test func `a password in a url is not repeated in the error`() {
        let error = #expect(throws: RelayURLError.self) { try RelayURL.parse(url: "smtp://u:secret@relay.example") }
        #expect(error?.description.contains("secret") == false)
    }
}
