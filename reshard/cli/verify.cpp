// `reshard verify`: compares both sides of a plan, beside the coordinator that carries it on.
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "reshard/bucket_configs.hpp"
#include "reshard/cli/commands.hpp"
#include "reshard/cli/common.hpp"
#include "reshard/cli/place.hpp"
#include "reshard/cli/status.hpp"
#include "reshard/compare.hpp"
#include "reshard/definition/likeness.hpp"
#include "reshard/progress_bar.hpp"
#include "reshard/tables.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;
using backends::postgres::Session;

constexpr std::uint64_t kComparedGroupRows = 20'000;
constexpr std::chrono::milliseconds kAgainPause{100};
constexpr std::size_t kPrinted = 20;

struct VerifyWords {
  Place place;
  std::uint64_t number = 0;
  bool json = false;
};

/// Whether the copy is over, and nothing is blocked, so that both sides have the same rows but for
/// what the log names. True: in the soak, where the target is written to.
bool soaks(const Journal& journal, const std::array<SideStanding, 2>& sides) {
  const std::string plan = "plan " + journal.plan().name();
  for (const SideStanding& side : sides)
    if (!side.problem.empty()) throw std::runtime_error(side.problem);
  if (const auto taken = taken_back(journal); taken.by != 0)
    throw std::runtime_error(plan + " was taken back by plan " + std::to_string(taken.by));
  const Act act = act_of(journal, sides);
  if (act == Act::soak) return true;
  if (act >= Act::pump && act <= Act::prepare && sides[0].state == "capturing") return false;
  throw std::runtime_error(plan + " is at " + std::string(to_string(act)) +
                           ": its rows are on both sides from the end of the copy to its cutover, "
                           "and in its soak");
}

std::map<std::string, TablePair> tables_of(Session& from, Session& to,
                                           const config::Buckets& buckets) {
  std::map<std::string, TablePair> tables;
  for (const BucketConfig& config : routed(bucket_configs(from), buckets)) {
    auto here = read_table(from, config.name), there = read_table(to, config.name);
    if (!here || !there)
      throw std::runtime_error("bucket " + config.name + " has no table at one of the two sides");
    if (const std::string differs =
            difference(compare_features(features(from, *here), features(to, *there)));
        !differs.empty())
      throw std::runtime_error("bucket " + config.name + ": " + differs);
    tables[config.name] = {*std::move(here), *std::move(there)};
  }
  return tables;
}

void print_comparison(const Comparison& found) {
  for (std::size_t i = 0; i < std::min(found.differing.size(), kPrinted); ++i)
    std::printf("bucket %s, key %s: %s\n", found.differing[i].bucket.c_str(),
                found.differing[i].key.c_str(), found.differing[i].what.c_str());
  if (found.differ > kPrinted)
    std::printf("and %llu more\n", static_cast<unsigned long long>(found.differ - kPrinted));
  std::printf("verified: %llu vnodes, %llu rows, %llu differing",
              static_cast<unsigned long long>(found.vnodes),
              static_cast<unsigned long long>(found.rows),
              static_cast<unsigned long long>(found.differ));
  if (found.pending > 0)
    std::printf(", %llu keys not compared, since their last writes are not carried over",
                static_cast<unsigned long long>(found.pending));
  std::printf("\n");
}

Json json_of_comparison(const Comparison& found) {
  Json rows = Json::array();
  for (const DifferingRow& row : found.differing)
    rows.push_back({{"bucket", row.bucket}, {"key", row.key}, {"what", row.what}});
  return {{"vnodes", found.vnodes},
          {"rows", found.rows},
          {"differing", found.differ},
          {"notCompared", found.pending},
          {"keys", std::move(rows)}};
}

int verify(const VerifyWords& options) {
  const Journal journal = plans_of(options.place)->open(options.number);
  const Plan& plan = journal.plan();
  const auto standing = standing_of(plan, kStandingLimit);
  const bool soaking = soaks(journal, standing);
  const auto ring = ring_of(plan);
  const std::string application = "moray-router reshard verify";
  Session source(plan.from.url, application), target(plan.to.url, application);
  const ComparedSides sides = soaking ? ComparedSides{target, source, "target", "source"}
                                      : ComparedSides{source, target, "source", "target"};
  const auto tables = tables_of(sides.from, sides.to, plan.buckets);
  watch_signals();
  std::optional<ProgressBar> bar;
  ComparisonTold told;
  told.table = [&](const std::string& bucket) {
    bar.reset();
    if (!options.json) bar.emplace("plan " + plan.name() + ", verify " + bucket, "rows", 0);
  };
  told.rows = [&](std::uint64_t rows) {
    if (bar) bar->add(rows);
  };
  told.stopped = [] { return interrupted(); };
  // A log that is not carried over stays as it is.
  told.again = [&] {
    std::this_thread::sleep_for(kAgainPause);
    const Act act = soaking ? Act::soak : Act::pump;
    return coordinator_of(journal, act, standing_of(plan, kStandingLimit)).lives.value_or(false);
  };
  const auto owner = ring->pnode_named(soaking ? plan.to.pnode : plan.from.pnode);
  const std::uint64_t owned = std::max<std::uint64_t>(
      plan.vnodes.size(), owner ? ring->vnodes_of(*owner).size() : ring->vnode_count());
  const auto groups = [&](const Table& table) {
    return groups_of(plan.vnodes, table, owned, kComparedGroupRows);
  };
  const Comparison found = compare_sides(sides, tables, groups, told);
  bar.reset();
  if (options.json)
    std::cout << json_of_comparison(found).dump() << std::endl;
  else
    print_comparison(found);
  return static_cast<int>(found.differ + found.pending > 0 ? ReshardExit::differ
                                                           : ReshardExit::done);
}

}  // namespace

void add_verify(CLI::App& reshard, int& exit_code) {
  auto options = std::make_shared<VerifyWords>();
  CLI::App* command = reshard.add_subcommand(
      "verify", "Compares the moving rows of both sides now, and repairs nothing");
  command->add_option("plan", options->number, "The plan's number")->required();
  add_place(*command, options->place);
  command->add_flag("--json", options->json, "As JSON");
  command->callback(
      [options, &exit_code] { exit_code = guarded([&] { return verify(*options); }); });
}

}  // namespace reshard::cli
