import Mailing

extension JobReader {
    /// One window, or a list of several.
    static func windows(_ node: JobNode) -> [SendingWindow]? {
        guard case .array = node.value.content else { return window(node).map { [$0] } }
        return node.distinct(CampaignKeys.windows, window)
    }

    private static func window(_ node: JobNode) -> SendingWindow? {
        guard let object = node.object("a window", knowing: ["days", "from", "to", "timeZone"]) else { return nil }
        let days = object.required("days", "on which days it opens, such as [\"mon\", \"tue\"]") { node in
            node.distinct(1...7) { $0.choice(SendingWindow.Day.self) }
        }
        let from = object.required("from", "when it opens, such as 09:00") { $0.timeOfDay(upTo: 23 * 60 + 59) }
        let to = object.required("to", "when it closes, such as 18:00") { node -> Int? in
            guard let to = node.timeOfDay(upTo: 24 * 60) else { return nil }
            if to == from { node.fail("Write another time here than “from”; for whole days, 00:00 and 24:00.") }
            return to
        }
        let zone = object.required("timeZone", "whose clocks count, such as Europe/Amsterdam") { $0.timeZoneName() }
        guard let days, let from, let to, let zone else { return nil }
        return SendingWindow(days: days, from: from, to: to, timeZone: zone)
    }
}
