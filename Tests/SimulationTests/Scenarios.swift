/// Small worlds in which every crash is tried.
enum Scenarios {
    static let all = [
        "mixed": mixed, "eventful": eventful, "moved": moved, "windows": windows, "rerouted": rerouted,
    ]

    /// Two relays, a withdrawal in the last milliseconds before a dot, and one of each kind of answer.
    static let mixed = """
        relay one 3000
        relay two 1800
        setting retry_after = [60]
        setting pause_after_uncertain = 0
        person anna accepted
        person bert accepted
        person carl refused
        person dora accepted
        person emil accepted
        person fred accepted
        person gina accepted
        answer bert 451dot accept
        answer dora taken
        answer emil lost accept
        answer fred 5.1.1
        campaign news anna bert carl dora emil fred gina
        1.19 withdraw gina
        1.985 pause news
        4 resume news
        """

    /// As few steps as a mailing can have: for two crashes one after the other.
    static let small = """
        relay one 3000
        person anna accepted
        person bert accepted
        person carl accepted
        campaign news anna bert carl
        1.19 withdraw carl
        """

    /// Doubt that a person settles, the same drop twice, another rate, and a machine that starts anew. The end of both
    /// campaigns is reported, of one before its doubt is settled.
    static let eventful = """
        relay one 3000
        relay keyed 3000 keys
        setting pause_after_uncertain = 0
        person anna accepted
        person bert accepted
        person carl accepted
        person dora accepted
        person emil accepted
        person fred accepted
        answer anna untaken accept
        answer bert taken accept
        answer carl untaken accept
        person olga accepted
        report news olga
        report more olga
        campaign news anna bert carl dora
        campaign more emil fred
        1 again news copy
        2 rate one 600
        9 settle news resend anna
        12 wall -7200
        14 stop 2
        20 reboot 40
        70 again news again
        """

    /// A relay that dies, one that takes over what waited for it, and a domain that may get less than others.
    static let moved = """
        relay dead 3000
        relay slow 3000
        limit slow 600
        setting pause_after_uncertain = 0
        person anna accepted
        person bert accepted
        person carl accepted
        person dora accepted
        person emil accepted
        person fred accepted
        answer carl taken
        answer dora lost accept
        campaign news anna bert carl dora emil fred
        1.3 reroute news dead slow
        3 kill 2
        """

    /// Ten seconds before clocks are set back from three to two. The campaign's window closes just after a message was
    /// begun, and another one opens two minutes later; the windows of the relays and the wall clock are changed.
    static let windows = """
        begin 2025-10-26T00:59:50Z
        relay one 720
        slow one 2200
        relay two 1800
        window two daily 02:00 02:59 Europe/Amsterdam
        hours news daily 02:30 03:00 Europe/Amsterdam
        hours news sat,sun 02:02 02:05 Europe/Amsterdam
        setting pause_after_uncertain = 0
        person anna accepted
        person bert accepted
        person carl accepted
        person dora accepted
        person emil accepted
        person fred accepted
        campaign news anna bert carl dora emil fred
        132 wall -20
        134 window two sun 02:03 02:30 Europe/Amsterdam
        212 kill 2
        """

    /// A relay whose messages are given to another one, back, and away again, while one is in flight, in doubt and
    /// taken up, and that is taken out of the configuration; and a limit that holds for one domain of two.
    static let rerouted = """
        relay old 3000 keys
        slow old 300
        relay new 3000
        limit new 400 post.example
        setting retry_after = [20]
        setting pause_after_uncertain = 0
        person anna accepted
        person bert accepted
        person carl accepted
        person dora@post.example accepted
        person emil accepted
        person fred@post.example accepted
        person gina accepted
        person hans@post.example accepted
        person ilse accepted
        answer carl 451dot accept
        answer emil untaken untaken accept
        campaign news anna bert carl dora@post.example emil fred@post.example gina hans@post.example ilse
        3.2 reroute news old new
        4.7 reroute news new old
        5.5 reroute news old new
        6 remove old
        9 kill 2
        30 restore old
        """
}
