import Commands

/// Arguments in, a command out.
@main
enum CampaignctlMain {
    static func main() async {
        await Campaignctl.serve()
    }
}
