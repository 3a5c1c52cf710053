import ArgumentParser
import Testing

@testable import Commands

@Suite struct CampaignctlTests {
    @Test func `the command is called campaignctl and says its version`() {
        #expect(Campaignctl.configuration.commandName == "campaignctl")
        #expect(Campaignctl.configuration.version.hasPrefix("campaignctl "))
    }
}
