// `reshard plan`: chooses vnodes, looks for obstacles, and writes the plan down.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "config/config.hpp"
#include "reshard/choose.hpp"
#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/dump_lock.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/fleet/fleet_routers.hpp"
#include "reshard/plan_number.hpp"
#include "reshard/preflight.hpp"
#include "reshard/taken.hpp"
#include "reshard/vnode_loads.hpp"
#include "ring/location.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kCopyBytesPerSecond = 20e6;  ///< at least, measured (bench/RESULTS.md)
constexpr double kMebibyte = 1 << 20;

struct PlanWords {
  Place place;
  std::string from, to, apply_from, apply_to;
  std::vector<std::string> routers, hooks, gates;
  Choice choice;
  PlanOptions plan;
  std::uint64_t lease_ms = longest_hold(PlanOptions{}.lease_ms);
  bool dry_run = false, json = false, trust_vnodes = false, no_cleanup = false, run = false;
  std::string pg_bin;
  DumpLockWords dump_lock;
};

const config::Shard& postgres_shard(const config::Config& config, const std::string& pnode) {
  for (const config::Shard& shard : config.shards)
    if (shard.pnode == pnode) {
      if (shard.backend != config::Backend::postgres)
        throw std::runtime_error("pnode \"" + pnode + "\" is no PostgreSQL shard");
      return shard;
    }
  throw std::runtime_error("the configuration has no shard for pnode \"" + pnode + "\"");
}

/// With the plan that has moved them, which the ring does not tell.
void require_owned(const Choice& choice, const ring::VnodeSet& owned, const Side& source) {
  const auto others = ring::VnodeSet::parse(choice.vnodes).without(owned);
  if (others.empty()) return;
  backends::postgres::Session session(source.url, "moray-router reshard plan");
  throw std::runtime_error("vnodes that the source does not own: " + others.to_text() +
                           taken_by(session, others));
}

Plan make_plan(const PlanWords& options, const ring::Ring& ring, const config::Config& config,
               Plans& plans) {
  Plan plan;
  const config::Shard &from = postgres_shard(config, options.from),
                      &to = postgres_shard(config, options.to);
  if (options.from == options.to) throw std::runtime_error("source and target are the same shard");
  plan.from = {from.pnode, from.url, options.apply_from.empty() ? from.url : options.apply_from};
  plan.to = {to.pnode, to.url, options.apply_to.empty() ? to.url : options.apply_to};
  plan.buckets = config.buckets;
  plan.ring_location = config.ring_location;
  plan.options = options.plan;
  plan.options.cleanup = !options.no_cleanup;
  plan.routers = options.routers;
  if (plan.routers.empty()) plan.fleet = fleet_of(config);
  if (plan.routers.empty() && !plan.fleet && !config.admin_socket.empty())
    plan.routers = {config.admin_socket};
  for (const std::string& hook : options.hooks) {
    const std::size_t equals = hook.find('=');
    const std::string phase = hook.substr(0, equals);
    if (equals == std::string::npos ||
        std::find(kHookPhases.begin(), kHookPhases.end(), phase) == kHookPhases.end())
      throw std::runtime_error("--hook " + hook +
                               ": PHASE=COMMAND, with a phase of pre_lock, pre_copy, "
                               "post_activate, pre_cleanup, post_finalize, on_abort");
    plan.hooks[phase] = hook.substr(equals + 1);
  }
  if (plan.options.max_block_ms == 0)
    throw std::runtime_error("--max-block must be at least a millisecond");
  if (plan.options.log_bytes == 0) throw std::runtime_error("--log-bytes must be at least a byte");
  // A block within which a lease runs out would be given up by its routers.
  plan.options.lease_ms =
      std::max(router_lease_within(options.lease_ms), router_lease(plan.options.max_block_ms));
  plan.options.trust_vnodes = options.trust_vnodes;
  for (const std::string& gate : options.gates) {
    static const std::vector<std::string> gates{"copy", "cutover", "finalize", "cleanup"};
    if (std::find(gates.begin(), gates.end(), gate) == gates.end())
      throw std::runtime_error("--gate " + gate + ": copy, cutover, finalize or cleanup");
    plan.gates.push_back(gate);
  }

  const auto owner = ring.pnode_named(options.from);
  if (!owner) throw std::runtime_error("the ring has no pnode \"" + options.from + "\"");
  std::vector<std::uint32_t> mine;
  for (const ring::Vnode vnode : ring.vnodes_of(*owner)) mine.push_back(number(vnode));
  const bool measured = options.choice.vnodes.empty();
  if (!measured) require_owned(options.choice, ring::VnodeSet::of(mine), plan.from);
  plan.vnodes = chosen(options.choice, ring::VnodeSet::of(mine),
                       measured ? vnode_loads(plan.from, plan.buckets) : std::vector<VnodeLoad>{});
  plan.pg_bin = options.pg_bin;
  plan.token = make_token();
  plan.dump_lock = dump_lock_of(options.dump_lock, config, plan);
  plan.author = this_author();
  plan.made = time_now();
  plan.number = next_plan_number(plans.numbered_with(plan.from, plan.to), plans.last_number());
  return plan;
}

Json card(const Plan& plan, const Preflight& found) {
  Json obstacles = Json::array();
  for (const Obstacle& each : found.obstacles)
    obstacles.push_back({{"what", each.what}, {"advice", each.advice}});
  return {{"plan", plan.number},
          {"from", plan.from.pnode},
          {"to", plan.to.pnode},
          {"vnodes", plan.vnodes.size()},
          {"ranges", plan.vnodes.to_text()},
          {"rowsAbout", static_cast<std::uint64_t>(found.rows)},
          {"megabytesAbout", std::round(found.bytes / kMebibyte * 10) / 10},
          {"copySecondsAbout",
           static_cast<std::uint64_t>(std::ceil(found.bytes / kCopyBytesPerSecond))},
          {"target", found.populated ? "has other vnodes: rows get ids of its own"
                                     : "empty: rows keep their ids"},
          {"routers", plan.fleet ? Json("fleet \"" + plan.fleet->name + "\"") : Json(plan.routers)},
          {"maxBlockMilliseconds", plan.options.max_block_ms},
          {"leaseMilliseconds", longest_hold(plan.options.lease_ms)},
          {"soakSeconds", plan.options.soak_seconds},
          {"ring", found.rings.before},
          {"ringAfterwards", found.rings.after},
          {"obstacles", std::move(obstacles)},
          {"warnings", found.warnings}};
}

void print_card(const Json& card) {
  for (const auto& [name, value] : card.items()) {
    if (name == "obstacles" || name == "warnings") continue;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (text.size() > 120) text = text.substr(0, 117) + "...";
    std::printf("%-22s %s\n", name.c_str(), text.c_str());
  }
  for (const auto& warning : card.at("warnings"))
    std::printf("warning: %s\n", warning.get<std::string>().c_str());
  for (const auto& obstacle : card.at("obstacles"))
    std::printf("obstacle: %s\n          %s\n", obstacle.at("what").get<std::string>().c_str(),
                obstacle.at("advice").get<std::string>().c_str());
}

/// In force: the fleet's, or what this host's router has.
std::shared_ptr<const ring::Ring> ring_to_plan_by(const PlanWords& options,
                                                  const config::Config& config) {
  Plan plan;
  if (options.routers.empty()) plan.fleet = fleet_of(config);
  if (!plan.fleet) return ring::load_location(config.ring_location).ring;
  return FleetRouters(plan).ring();
}

int make(const PlanWords& options) {
  const config::Config config = configuration(options.place.config);
  const auto plans = plans_of(options.place, config);
  const auto ring = ring_to_plan_by(options, config);
  Plan plan = make_plan(options, *ring, config, *plans);
  std::vector<Side> shards;
  for (const config::Shard& shard : config.shards)
    if (shard.backend == config::Backend::postgres)
      shards.push_back({shard.pnode, shard.url, shard.url});
  Preflight found = preflight(plan, *routers_of(plan), *ring, !options.trust_vnodes, shards);
  for (const char* phase : {kEndHook, kAbortHook})
    if (plan.hooks.contains("pre_lock") && !plan.hooks.contains(phase))
      found.warnings.push_back(std::string("hook pre_lock without ") + phase +
                               ": a plan that ends so gives the site's lock back to nobody");
  if (found.obstacles.empty() && !options.dry_run)
    plan.number = take_plan_number(plans->numbered_with(plan.from, plan.to), plans->last_number());
  Json shown = card(plan, found);
  if (plan.dump_lock) shown["dumpLock"] = plan.dump_lock->path + " in ZooKeeper";
  if (options.json)
    std::cout << shown.dump() << std::endl;
  else
    print_card(shown);
  if (!found.obstacles.empty()) {
    std::fprintf(stderr, "moray-router: %zu obstacles: nothing was changed, and no plan was made\n",
                 found.obstacles.size());
    return static_cast<int>(ReshardExit::refused);
  }
  if (options.dry_run) return static_cast<int>(ReshardExit::done);
  static_cast<void>(plans->create(plan));
  if (options.run) return execute(*plans, plan.number, {});
  std::fprintf(stderr, "plan %s is in %s; `moray-router reshard run %s%s` begins\n",
               plan.name().c_str(), plans->place_of(plan).c_str(), plan.name().c_str(),
               plans->words().c_str());
  return static_cast<int>(ReshardExit::done);
}

}  // namespace

void add_plan(CLI::App& reshard, int& exit_code) {
  auto options = std::make_shared<PlanWords>();
  CLI::App* command = reshard.add_subcommand(
      "plan",
      "Chooses vnodes to move, looks at everything that stands in the way, and writes a plan");
  command
      ->add_option("-c,--config", options->place.config,
                   "The router's configuration: ring, shards, buckets")
      ->required();
  command->add_option("--from", options->from, "The pnode that has them")->required();
  command
      ->add_option("--to", options->to, "The pnode that gets them; it need not be in the ring yet")
      ->required();
  command->add_option("--vnodes", options->choice.vnodes, "These vnodes: 0-999,1005");
  command->add_flag("--half", options->choice.half, "Vnodes with half of the source's rows");
  command->add_option("--rows", options->choice.rows, "Vnodes with about so many rows");
  command->add_option("--bytes", options->choice.bytes, "Vnodes with about so many bytes");
  command->add_option("--router", options->routers,
                      "A router's admin socket; may be repeated (default: the members of the "
                      "configuration's fleet, or the configuration's own)");
  command->add_option(
      "--apply-from", options->apply_from,
      "The source's URL for a role that may set session_replication_role (default: the shard's)");
  command->add_option("--apply-to", options->apply_to, "The same of the target");
  command
      ->add_option("--max-block", options->plan.max_block_ms,
                   "Milliseconds that writes are held at most; then the cutover is given up")
      ->capture_default_str();
  command
      ->add_option("--soak", options->plan.soak_seconds,
                   "Seconds for which the source is kept current, and rollback is possible")
      ->capture_default_str();
  command
      ->add_option("--copy-bytes-per-second", options->plan.copy_bytes_per_second,
                   "Of the copy, at most; 0: any")
      ->capture_default_str();
  command
      ->add_option("--cleanup-rows-per-second", options->plan.cleanup_rows_per_second,
                   "Deleted at the source, at most; 0: any")
      ->capture_default_str();
  command
      ->add_option(
          "--lease", options->lease_ms,
          "Milliseconds that writes wait at most where a router or this plan's coordinator "
          "is silent; at least twice --max-block and 1400")
      ->capture_default_str();
  command
      ->add_option("--settle", options->plan.settle_ms,
                   "Milliseconds for which the log must have been short before the cutover")
      ->capture_default_str();
  command
      ->add_option("--log-bytes", options->plan.log_bytes,
                   "Of the new owner's disk, that the log for the way back may take; beyond it the "
                   "way back is given up")
      ->capture_default_str();
  command
      ->add_option("--cache", options->plan.cache_ms,
                   "Milliseconds for which routers may remember a bucket: waited for once in a "
                   "database's life")
      ->capture_default_str();
  command->add_option("--attempts", options->plan.attempts, "Cutovers that are tried")
      ->capture_default_str();
  command->add_flag("--no-cleanup", options->no_cleanup, "Leave the moved rows at the source");
  command->add_option("--hook", options->hooks,
                      "PHASE=COMMAND; the command gets the plan as JSON on stdin. pre_lock, "
                      "pre_copy, post_activate, pre_cleanup, post_finalize, on_abort");
  command
      ->add_option("--hook-seconds", options->plan.hook_seconds,
                   "A hook that takes longer is ended, and has failed")
      ->capture_default_str();
  add_dump_lock(*command, options->dump_lock);
  command->add_option("--gate", options->gates,
                      "Stand before copy, cutover, finalize or cleanup until `reshard open` opens "
                      "it; may be repeated");
  command->add_option("--pg-bin", options->pg_bin,
                      "Where pg_dump and pg_restore are (default: the newest that is installed)");
  add_place(*command, options->place, false);
  command->add_flag("--trust-vnodes", options->trust_vnodes,
                    "Don't read every row's key to see that its _vnode is right");
  command->add_flag("--known-clients-only", options->plan.known_clients_only,
                    "Refuse where a database has sessions that are no router's of the plan");
  command->add_flag("--dry-run", options->dry_run, "Show it, and write nothing");
  command->add_flag("--run", options->run, "And carry it out at once");
  command->add_flag("--json", options->json, "The card as JSON");
  command->callback([options, &exit_code] { exit_code = guarded([&] { return make(*options); }); });
}

}  // namespace reshard::cli
