// `moray-router fleet`: its commands and their options.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "router/cli/commands.hpp"
#include "router/cli/fleet_acts.hpp"

namespace router::cli {

void add_fleet(CLI::App& program, int& exit_code) {
  auto options = std::make_shared<FleetOptions>();
  CLI::App* group = program.add_subcommand(
      "fleet", "Shows and changes the ring of a fleet of routers, at all of them together");
  group->require_subcommand(1);
  group->add_option("-f,--config", options->config_file, "A router's configuration, with `fleet`")
      ->required();
  group->add_flag("--json", options->json, "Prints JSON, for scripts");
  const auto add = [&](const char* name, const char* help,
                       FleetExit (*perform)(FleetCommand&, const FleetOptions&)) {
    CLI::App* one = group->add_subcommand(name, help);
    one->fallthrough();
    one->callback([options, perform, &exit_code] {
      try {
        FleetCommand command(*options);
        exit_code = static_cast<int>(perform(command, *options));
      } catch (const fleet::OperatorError& error) {
        std::fprintf(stderr, "moray-router: %s\n", error.what());
        exit_code = static_cast<int>(error.unknown ? FleetExit::unknown : FleetExit::refused);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "moray-router: %s\n", error.what());
        exit_code = static_cast<int>(FleetExit::refused);
      }
    });
    return one;
  };
  const auto vnodes = [&](CLI::App* one) {
    one->add_option("--vnodes", options->vnodes,
                    "Vnodes: 0-49999,105; @FILE: a file of them; -: stdin")
        ->required();
  };
  const auto change = [&](CLI::App* one) {
    one->add_option("--why", options->why, "Shown by status and history")
        ->check([](const std::string& why) {
          return why.size() <= FleetOptions::kWhyMost
                     ? ""
                     : "--why is longer than " + std::to_string(FleetOptions::kWhyMost);
        });
    one->add_option("--lease", options->lease,
                    "Seconds for which a router that hears nothing serves what is to move")
        ->capture_default_str()
        ->check(CLI::Range(1.0, 60.0));
    one->add_option("--timeout", options->timeout, "Seconds for all routers to get ready")
        ->capture_default_str()
        ->check(CLI::Range(1.0, 3600.0));
    one->add_option("--wait", options->wait, "Seconds for another change to be closed")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 3600.0));
    one->add_flag("--indeterminate-is-fine", options->indeterminate_is_fine,
                  "Goes on though writes may be done yet, whose shard was lost");
  };
  const auto moves = [&](CLI::App* one) {
    one->add_flag("--regardless-of-plans", options->regardless_of_plans,
                  "Doesn't ask the shards whether a plan of resharding stands against it");
    change(one);
  };
  CLI::App* one = add("init", "Makes a fleet of a ring", fleet_acts::init);
  one->add_option("DIR", options->directory, "The ring; without it, the configuration's");
  one = add("status", "Shows the ring in force, the open change, and each router",
            fleet_acts::status);
  one->add_flag("--watch", options->watch, "Again every two seconds");
  const auto members = [&](CLI::App* command) {
    command->add_option("--member", options->members,
                        "HOST:PORT of a router's status pages, where ZooKeeper does not say it; "
                        "may be repeated");
  };
  members(one);
  one = add("remap", "Gives vnodes to another pnode", fleet_acts::remap);
  vnodes(one);
  one->add_option("--pnode", options->pnode, "Who gets them")->required();
  moves(one);
  one = add("set-data", "Gives vnodes data: ro makes them read-only", fleet_acts::set_data);
  vnodes(one);
  one->add_option("DATA", options->data, "A word or JSON; none, or 1, takes the data away");
  change(one);
  one = add("publish", "Puts a whole ring in force", fleet_acts::publish);
  one->add_option("DIR", options->directory, "The ring, or a store of rings")->required();
  moves(one);
  one = add("image", "Writes a ring's image to a file, for fleet.imageUrl", fleet_acts::image);
  one->add_option("DIR", options->directory, "The ring, or a store of rings")->required();
  one->add_option("FILE", options->file, "Where to; without one: the ring's digest is its name");
  one = add("rollback", "Puts an older generation in force, of this host's store",
            fleet_acts::rollback);
  one->add_option("GENERATION", options->generation,
                  "Its number; without one: the one before the current");
  moves(one);
  one = add("block",
            "Blocks writes to vnodes, until `unblock`; returns when no earlier write is "
            "under way",
            fleet_acts::block);
  vnodes(one);
  one->add_option("--mode", options->mode, "hold: writes wait; refuse: they get ReadOnlyError")
      ->capture_default_str()
      ->check(CLI::IsMember({"hold", "refuse"}));
  change(one);
  one = add("unblock", "Lets writes go on", fleet_acts::unblock);
  auto* token = one->add_option("TOKEN", options->token, "The block's, as status shows it");
  auto* all = one->add_flag("--all", options->all, "All blocks");
  token->excludes(all);
  change(one);
  one = add("remove", "Takes a dead router off the fleet, for which each change waits",
            fleet_acts::remove);
  one->add_option("ID", options->id, "As status shows it")->required();
  one->add_option("--gone", options->confirmed,
                  "The id again: it is stopped, and will not start by itself");
  one->add_option("--grace", options->grace, "Seconds since its end that are enough for its writes")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  one = add("add-foreign",
            "Puts a router on the roster that knows nothing of fleets, as an electric-moray",
            fleet_acts::add_foreign);
  one->add_option("ID", options->id, "A name for it")->required();
  one->add_option("--status", options->url, "http://HOST:PORT/…, which answers as long as it runs")
      ->required();
  one->add_option("--serves", options->digest, "The digest of its ring, where that is known");
  one = add("acknowledge", "Says of such a router that it is stopped, or by which ring it serves",
            fleet_acts::acknowledge);
  one->add_option("ID", options->id, "As status shows it")->required();
  auto* stopped =
      one->add_flag("--stopped", options->stopped, "It is, and will not start before you say so");
  one->add_option("--serves", options->digest, "It runs, by the ring of this digest")
      ->excludes(stopped);
  one = add("reinit",
            "Writes the fleet's state anew, as its routers have it, after ZooKeeper was lost or "
            "restored to an earlier day",
            fleet_acts::reinit);
  members(one);
  one->add_option("--without", options->without,
                  "The id of a router that is gone for good; may be repeated");
  one->add_option("--ring", options->generation,
                  "The generation that is to be in force, where routers have different ones");
  auto* was =
      one->add_flag("--committed", options->committed, "The change that was open then is in force");
  one->add_flag("--not-committed", options->not_committed, "It is not, and never was")
      ->excludes(was);
  one->add_flag("--unblock", options->all, "Ends all blocks of operators");
  one->add_option("--why", options->why, "Shown by history");
  one = add("settle",
            "A person's word on the cutover of a plan of resharding whose row can't be read any "
            "more, and which nobody closes",
            fleet_acts::settle);
  one->add_option("TOKEN", options->token, "The change, as status shows it")->required();
  auto* committed = one->add_flag("--committed", options->committed,
                                  "The source's row is committed: the new ring comes into force");
  one->add_flag("--not-committed", options->not_committed,
                "It is not, and never will be: the old ring stays in force")
      ->excludes(committed);
  add("history", "Lists the last steps", fleet_acts::history);
}

}  // namespace router::cli
