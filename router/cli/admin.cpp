// `moray-router admin`: its commands and their options.
#include <cstdio>
#include <functional>
#include <memory>

#include <CLI/CLI.hpp>

#include "config/config.hpp"
#include "router/cli/admin_client.hpp"
#include "router/cli/commands.hpp"

namespace router::cli {
namespace {

/// What the options of the command at hand have filled in.
struct AdminOptions {
  std::string socket = config::Config().admin_socket;
  bool json = false;
  std::string bucket, key, ring, expect_digest, level, vnodes, mode = "hold", pnode, data, from, to,
                                                               plan, lease, heat, owner;
  bool get = false, wait = false, all = false, rehearse = false, leave = false;
  double timeout = 60, grace = 0, lease_time = 30;
  std::uint64_t generation = 0, top = 20;
};

std::uint64_t milliseconds(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1000 + 0.5);
}

/// Adds commands to `admin`; each makes its arguments when it is called.
class Adder {
 public:
  Adder(CLI::App& command, std::shared_ptr<AdminOptions> options, int& exit_code)
      : command_(command), options_(std::move(options)), exit_code_(exit_code) {}

  CLI::App* operator()(const char* name, const char* help,
                       std::function<Json(const AdminOptions&)> arguments) {
    CLI::App* one = command_.add_subcommand(name, help);
    one->fallthrough();
    one->callback([options = options_, name, arguments = std::move(arguments), &code = exit_code_] {
      try {
        code = static_cast<int>(
            tell_router(options->socket, options->json, name, arguments(*options)));
      } catch (const std::exception& error) {
        std::fprintf(stderr, "moray-router: %s\n", error.what());
        code = static_cast<int>(AdminExit::refused);
      }
    });
    return one;
  }

 private:
  CLI::App& command_;
  std::shared_ptr<AdminOptions> options_;
  int& exit_code_;
};

Json nothing(const AdminOptions&) { return Json::object(); }

void add_if(Json& arguments, const char* name, const std::string& text) {
  if (!text.empty()) arguments[name] = text;
}

CLI::Option* vnodes_option(CLI::App& command, AdminOptions& options) {
  return command.add_option("--vnodes", options.vnodes,
                            "Vnodes: 0-49999,105; @FILE: a file of them; -: stdin");
}

void add_shown(Adder& add, AdminOptions& options) {
  add("status", "Shows ring, blocks, shards and the last reload", nothing);
  add("shards", "Shows each shard's health", nothing);
  add("sessions", "Lists the clients", nothing);
  CLI::App* locate = add("locate", "Shows where a key lies", [](const AdminOptions& given) {
    return Json{{"bucket", given.bucket}, {"key", given.key}, {"get", given.get}};
  });
  locate->add_option("BUCKET", options.bucket)->required();
  locate->add_option("KEY", options.key)->required();
  locate->add_flag("--get", options.get, "Shows the object too, asked for by the router itself");
  CLI::App* level =
      add("log-level", "Shows or sets how much is logged", [](const AdminOptions& given) {
        return given.level.empty() ? Json::object() : Json{{"level", given.level}};
      });
  level->add_option("LEVEL", options.level, "trace, debug, info, warn, error or fatal");
  CLI::App* heat =
      add("heat", "Shows the vnodes that are asked for most; counting is off until `heat on`",
          [](const AdminOptions& given) {
            Json arguments{{"top", given.top}};
            if (!given.heat.empty()) arguments["on"] = given.heat == "on";
            return arguments;
          });
  heat->add_option("SWITCH", options.heat, "on (from zero) or off")
      ->check(CLI::IsMember({"on", "off"}));
  heat->add_option("--top", options.top, "How many vnodes")->capture_default_str();
  CLI::App* drain = add("drain", "Stops taking clients, finishes what is in flight, and ends",
                        [](const AdminOptions& given) {
                          return given.leave ? Json{{"leave", true}} : Json::object();
                        });
  drain->add_flag("--leave", options.leave,
                  "Leaves the fleet, too: nobody waits for this router any more");
}

void add_blocks(Adder& add, AdminOptions& options) {
  CLI::App* block = add("block", "Blocks writes to vnodes, until `unblock` or a restart",
                        [](const AdminOptions& given) {
                          Json arguments{{"vnodes", read_vnodes(given.vnodes)},
                                         {"mode", given.mode},
                                         {"wait", given.wait},
                                         {"timeoutMs", milliseconds(given.timeout)},
                                         {"graceMs", milliseconds(given.grace)}};
                          add_if(arguments, "lease", given.lease);
                          return arguments;
                        });
  vnodes_option(*block, options)->required();
  block->add_option("--mode", options.mode, "hold: writes wait; refuse: they get ReadOnlyError")
      ->capture_default_str()
      ->check(CLI::IsMember({"hold", "refuse"}));
  block->add_flag("--wait", options.wait,
                  "Returns when the last earlier write to them has been answered; exit code 3 "
                  "where one's outcome is unknown");
  block
      ->add_option("--timeout", options.timeout,
                   "Seconds to wait; then exit code 4, and the vnodes stay blocked")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  block
      ->add_option(
          "--grace", options.grace,
          "Seconds after which a write whose connection was lost counts as settled; 0: never")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  block->add_option("--lease", options.lease,
                    "A coordinator's: when it runs out, hold turns into refuse");
  CLI::App* unblock = add("unblock", "Lets writes go on, those that were held first",
                          [](const AdminOptions& given) {
                            Json arguments = Json::object();
                            if (given.all) arguments["all"] = true;
                            if (!given.vnodes.empty())
                              arguments["vnodes"] = read_vnodes(given.vnodes);
                            return arguments;
                          });
  vnodes_option(*unblock, options);
  unblock->add_flag("--all", options.all, "All that are blocked");
}

void add_edits(Adder& add, AdminOptions& options) {
  CLI::App* reload = add("reload", "Loads configuration and ring again, all or nothing",
                         [](const AdminOptions& given) {
                           Json arguments = Json::object();
                           add_if(arguments, "ring", given.ring);
                           add_if(arguments, "expectDigest", given.expect_digest);
                           return arguments;
                         });
  reload->add_option("PATH", options.ring, "The ring's directory, instead of the configuration's");
  reload->add_option("--expect-digest", options.expect_digest, "Refuses a ring of another digest");
  CLI::App* set_data = add("set-data", "Gives vnodes data, on disk: ro makes them read-only",
                           [](const AdminOptions& given) {
                             const Json parsed = Json::parse(given.data, nullptr, false);
                             const Json data = given.data.empty()      ? Json(1)
                                               : parsed.is_discarded() ? Json(given.data)
                                                                       : parsed;
                             return Json{{"vnodes", read_vnodes(given.vnodes)}, {"data", data}};
                           });
  vnodes_option(*set_data, options)->required();
  set_data->add_option("DATA", options.data, "A word or JSON; none, or 1, takes the data away");
  CLI::App* remap =
      add("remap", "Gives vnodes to another pnode, on disk and in force",
          [](const AdminOptions& given) {
            return Json{{"vnodes", read_vnodes(given.vnodes)}, {"pnode", given.pnode}};
          });
  vnodes_option(*remap, options)->required();
  remap->add_option("--pnode", options.pnode, "Who gets them")->required();
  add("rings", "Lists the generations of the ring's store", nothing);
  CLI::App* rollback =
      add("rollback", "Puts an older generation in force", [](const AdminOptions& given) {
        return given.generation == 0 ? Json::object() : Json{{"generation", given.generation}};
      });
  rollback->add_option("GENERATION", options.generation,
                       "Its number; without one: the one before the current");
  CLI::App* diff =
      add("diff", "Shows what would move between two rings", [](const AdminOptions& given) {
        // One ring is compared with the one in force.
        if (given.to.empty()) return Json{{"from", ""}, {"to", given.from}};
        return Json{{"from", given.from}, {"to", given.to}};
      });
  diff->add_option("A", options.from, "A generation's number or a directory")->required();
  diff->add_option("B", options.to, "Another; without it, the ring in force is compared with A");
}

void add_two_phases(Adder& add, AdminOptions& options) {
  CLI::App* prepare = add("prepare", "Stages a ring on disk for `activate`, under a lease",
                          [](const AdminOptions& given) {
                            Json arguments{{"leaseMs", milliseconds(given.lease_time)}};
                            if (!given.vnodes.empty())
                              arguments["vnodes"] = read_vnodes(given.vnodes);
                            add_if(arguments, "pnode", given.pnode);
                            add_if(arguments, "ring", given.ring);
                            add_if(arguments, "expectDigest", given.expect_digest);
                            add_if(arguments, "plan", given.plan);
                            add_if(arguments, "owner", given.owner);
                            if (given.rehearse) arguments["rehearse"] = true;
                            return arguments;
                          });
  vnodes_option(*prepare, options);
  prepare->add_option("--pnode", options.pnode, "Who gets the vnodes");
  prepare->add_option("--ring", options.ring,
                      "A whole ring's directory, instead of vnodes and pnode");
  prepare->add_option("--expect-digest", options.expect_digest, "Refuses a ring of another digest");
  prepare->add_option("--plan", options.plan, "What it is for, shown by status");
  prepare->add_option("--owner", options.owner,
                      "Refuses where a vnode is not this pnode's in the ring in force");
  prepare->add_flag("--rehearse", options.rehearse,
                    "Checks and tries everything, and changes nothing");
  prepare
      ->add_option("--lease-time", options.lease_time,
                   "Seconds for which nobody else may change the ring")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  CLI::App* ownership =
      add("ownership", "Shows whether vnodes are a pnode's, and the reads from when they were not",
          [](const AdminOptions& given) {
            return Json{{"vnodes", read_vnodes(given.vnodes)}, {"pnode", given.pnode}};
          });
  vnodes_option(*ownership, options)->required();
  ownership->add_option("--pnode", options.pnode, "Whose")->required();
  CLI::App* renew = add("renew", "Prolongs a lease", [](const AdminOptions& given) {
    return Json{{"lease", given.lease}, {"leaseMs", milliseconds(given.lease_time)}};
  });
  renew->add_option("LEASE", options.lease)->required();
  renew->add_option("--lease-time", options.lease_time, "Seconds from now")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  CLI::App* activate =
      add("activate", "Puts the prepared ring in force", [](const AdminOptions& given) {
        Json arguments{{"lease", given.lease}};
        add_if(arguments, "expectDigest", given.expect_digest);
        return arguments;
      });
  activate->add_option("LEASE", options.lease)->required();
  activate->add_option("--expect-digest", options.expect_digest,
                       "Refuses where another ring is prepared");
  CLI::App* abandon = add("abandon", "Drops the prepared ring", [](const AdminOptions& given) {
    return Json{{"lease", given.lease}};
  });
  abandon->add_option("LEASE", options.lease)->required();
}

}  // namespace

void add_admin(CLI::App& program, int& exit_code) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* command =
      program.add_subcommand("admin", "Asks and tells a running router, over its admin socket");
  command->require_subcommand(1);
  command->add_option("--socket", options->socket, "The router's admin socket")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Prints the answer as it comes, for scripts");
  Adder add(*command, options, exit_code);
  add_shown(add, *options);
  add_blocks(add, *options);
  add_edits(add, *options);
  add_two_phases(add, *options);
}

}  // namespace router::cli
