import Mailing
import Testing

@testable import Daemon

/// The text exposition format.
struct MetricsTextTests {
    @Test func `a family has its help, its type and a line for each sample`() {
        var text = MetricsText()
        text.add(
            "mail_total", .counter, "Mail.", [.init(["relay": "a", "state": "b"], 3), .init(["relay": "c"], 0.25)])
        text.add("limit", .gauge, "A limit.", [.init(true)])
        text.add("nothing", .gauge, "Left out.", [])
        let expected = """
            # HELP campaignd_mail_total Mail.
            # TYPE campaignd_mail_total counter
            campaignd_mail_total{relay="a",state="b"} 3
            campaignd_mail_total{relay="c"} 0.25
            # HELP campaignd_limit A limit.
            # TYPE campaignd_limit gauge
            campaignd_limit 1

            """
        #expect(text.text == expected)
    }

    @Test func `what would end a label or a line is escaped`() {
        var text = MetricsText()
        text.add("a", .gauge, "One \\ two\nthree \"four\".", [.init(["l": "one \\ two\nthree \"four\""], 1)])
        let lines = text.text.split(separator: "\n")
        #expect(lines.first == #"# HELP campaignd_a One \\ two\nthree "four"."#)
        #expect(lines.last == #"campaignd_a{l="one \\ two\nthree \"four\""} 1"#)
    }

    @Test func `large and odd numbers are numbers still`() {
        var text = MetricsText()
        text.add(
            "a", .gauge, "A.",
            [
                .init(Int64(9_007_199_254_740_991)), .init(1e300), .init(Double.nan), .init(Double.infinity),
                .init(-Double.infinity), .init(-2), .init(Timestamp(milliseconds: 1_500)),
            ])
        let values = text.text.split(separator: "\n").dropFirst(2).map { $0.split(separator: " ")[1] }
        #expect(values == ["9007199254740991", "1e+300", "NaN", "+Inf", "-Inf", "-2", "1.5"])
    }
}
