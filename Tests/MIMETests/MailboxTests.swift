import Testing

@testable import MIME

@Suite struct `A mailbox` {
    @Test(arguments: [
        "jan@example.org", "jan.de-boer+nieuws@sub.example.org", "\"jan de boer\"@example.org",
        "o'brien@xn--bcher-kva.example",
        "\"a\\\"b\"@example.org",
    ]) func `accepts an address of RFC 5321`(address: String) {
        #expect(Mailbox(address: address).problem == nil)
    }

    @Test(arguments: [
        "", "jan", "@example.org", "jan@", "jan@@example.org", "jan@example.org>",
        "jan@example.org\r\nBcc: x@example.org",
        "jan jansen@example.org", "jan..j@example.org", ".jan@example.org", "jan@example..org", "jan@bücher.example",
        "jän@example.org", "a,b@example.org", "<jan@example.org>", "\"a\"b\"@example.org", "\"a\\\"@example.org",
        "\"a\rb\"@example.org", String(repeating: "a", count: 65) + "@example.org",
        "a@" + String(repeating: "b.", count: 130) + "org", "jan@example.org\u{0}",
    ]) func `refuses what could not stand in a field`(address: String) {
        #expect(Mailbox(address: address).problem != nil)
    }

    @Test func `refuses a name with a line break, a control character or an unfilled tag`() {
        for name in [
            "a\nb", "a\r\nBcc: x@example.org", "a\u{0}", "a\u{2028}b", "{{name}}", String(repeating: "x", count: 501),
        ] {
            #expect(Mailbox(name: name, address: "jan@example.org").problem != nil)
        }
    }

    @Test func `a blank name leaves the address alone`() {
        #expect(Mailbox(name: " \u{200B}", address: "jan@example.org").fieldValue(startingAt: 4) == "jan@example.org")
    }
}
