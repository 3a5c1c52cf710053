extension DaemonJournal {
    /// `MESSAGE_ID` of whatever the daemon tells; systemd/catalog explains each, and what to do.
    enum Event: String, CaseIterable {
        // The daemon itself.
        case started = "2675f7d7445c41e9ba8759cee6dc08bf"
        case stopped = "6257d301283c4e60a64dd4b7ca72541e"
        case startFailed = "eaa84df51c5346d8a0fb3dd0412dd76a"
        case brokeOff = "eda75973781342d5a0fae83b6480cc55"
        case stuck = "104344e86b26499c920406f1bc312241"
        case serviceManagerTrouble = "ae858ae2728c403a87b69b338e9239b6"
        case reloaded = "1754488f464a489f9b59c45fe98d0821"
        case reloadRefused = "9fbab4d5f3a84b62b957d8356b86f2bd"

        // What a start found.
        case recovered = "fb781f0f9c0645928cef8d7b09f22e3c"
        case held = "ef2a83ac85a5431e8305e88f70759fde"
        case unknownCopy = "f69dfa9a183540fa825417924f82e9c8"

        // Jobs.
        case accepted = "68608d73cbea4d8d86673fe424941885"
        case rejected = "ca4eb0c058614661bc88a4f89d19374e"
        case planned = "6a0549c212164031b2947475278c1307"
        case needsApproval = "eb3fe3c8eadc44318f4828a56d47c534"
        case done = "04bbf67726a348d1989ef63f2c8d6ee1"
        case changed = "49c6cc14256a43d9881efac4af304b35"
        case paused = "ebc10ececc234cbaa32ed6aad56dad79"
        case ended = "f3cb85bcc7f14523a8fe46eda8d7545f"
        case reported = "b052d05b8d5e4e6aa543b9bad2f46545"
        case reportTrouble = "87d1ca08144a4ff7a7c1e27df517842f"

        // Messages.
        case delivery = "348919af604e4c50ac6db79d0d49911d"
        case uncertain = "ca5c4bb56d0b454b84741964cf680998"
        case settled = "cb9f0f3182094d2f958d7324e1e3dc80"

        // What keeps the daemon from its work.
        case relayTrouble = "f811ee3f3aa2499d9d21c57a7c2cad7c"
        case relayWorks = "61fcf1aac55a40a2a9f039fdddcdda1f"
        case ledgerTrouble = "760d5df0a3fd4adb9bc3d961a19a9bce"
        case ledgerWorks = "f40f2a1080d24822ada122b99514ee42"
        case spoolTrouble = "e1846588b0394a58b3b7d6458b46258f"
        case noHints = "5b6f34cb706a437d9d6fb32b23a72b3a"
        case returnedMailTrouble = "47fbc88b5b3445fda841d07a189db9ae"
        case scarce = "3d3f22d3da4f480db10f1ee73e9e0a8a"
        case consentChanged = "48df186cb42846cb81cd091dfd1922bc"
        case consentUnread = "d42a2e05f3bc4e5e8ccf8aa7e843037d"
        case settlingTrouble = "1c9ccc8cf03b4fdd86e5a3bcd5982965"
        case metricsTrouble = "ab9558652cbb487e886d2e385665ba7c"
        case metricsWork = "42ae653cf9d7452892d2615b4ca45084"
    }
}
