#include "tests/sim/world.hpp"

#include <algorithm>

namespace sim {

World::World(std::uint32_t seed, const Rules& rules)
    : random_(seed), rules_(rules), databases_{Database(rules), Database(rules)} {
  scenario_.story = static_cast<Scenario::Story>(any(3));
  scenario_.failovers = chance(40);
  scenario_.lagging_standbys = scenario_.failovers && chance(40);
  scenario_.second_coordinators = chance(50);
  scenario_.zombie_router = chance(40);
  scenario_.clock_jumps = chance(40);
  scenario_.deaf_routers = chance(50);
  scenario_.quiet = chance(30);
  routers_.resize(2);
  writers_.resize(4);
  databases_[1].last_id = 0;
  Changes first;
  for (Key key = 0; key < kKeys; ++key) {
    Row row;
    row.id = ++databases_[0].last_id;
    row.unique = key < 2 ? key + 1 : 0;
    row.has_vnode = key != 1;
    row.version = ++version_;
    first.rows.emplace_back(key, row);
    first.versions[key] = row.version;
    acknowledged_[static_cast<std::size_t>(key)] = seen_[static_cast<std::size_t>(key)] =
        row.version;
  }
  databases_[0].commit(first, 0);
  for (Database& database : databases_) database.lagging_standby = scenario_.lagging_standbys;
  databases_[0].replicate();
  journal_.progress = reshard::Progress{};
}

void World::violate(const std::string& what) {
  static constexpr const char* kStories[] = {"there", "there and rolled back",
                                             "there, cleaned and back"};
  std::string with = kStories[static_cast<std::size_t>(scenario_.story)];
  if (scenario_.failovers) with += ", failovers";
  if (scenario_.lagging_standbys) with += " to lagging standbys";
  if (scenario_.second_coordinators) with += ", second coordinators";
  if (scenario_.zombie_router) with += ", a router that hears nothing";
  if (scenario_.clock_jumps) with += ", clocks that jump";
  if (scenario_.deaf_routers) with += ", routers that are cut off";
  if (!violation_)
    violation_ = "(" + with + ") tick " + std::to_string(now_) + ", plan " +
                 std::to_string(journal_.direction.plan) + ", " +
                 std::string(reshard::to_string(journal_.progress.act)) + ": " + what;
}

std::optional<std::string> World::run() {
  constexpr long kTicksMost = 12'000;
  while (!violation_ && now_ < kTicksMost) {
    step();
    const bool idle = std::all_of(writers_.begin(), writers_.end(), [](const Writer& writer) {
      return writer.step == Writer::Step::idle;
    });
    const bool settled = std::all_of(routers_.begin(), routers_.end(), [](const Router& router) {
      return router.up && !router.pending;
    });
    if (ending_ && idle && settled && tasks_.empty()) {
      check_end();
      return violation_;
    }
  }
  if (!violation_) violate("it never ends");
  return violation_;
}

void World::step() {
  ++now_;
  for (Writer& writer : writers_)
    if (chance(50)) step_writer(writer);
  for (Router& router : routers_)
    if (chance(30)) step_router(router);
  step_coordinators();
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    if (chance(50)) step_task(i);
  if (chance(30)) read();
  if (chance(30)) check_ids();
  for (Database& database : databases_)
    if (chance(5)) database.replicate();
  if (!calm()) fault();
}

void World::fault() {
  if (scenario_.clock_jumps && chance(1))
    routers_[static_cast<std::size_t>(any(static_cast<int>(routers_.size())))].jump +=
        any(400) - 200;
  if (scenario_.deaf_routers && chance(1))
    routers_[static_cast<std::size_t>(any(static_cast<int>(routers_.size())))].deaf_until =
        now_ + any(250);
  const bool soaking = journal_.progress.act == reshard::Act::soak;  // in days, much may happen
  if (scenario_.failovers && chance(soaking ? 2 : 1) && chance(40)) fail_over(any(2));
}

/// What clients were told, and lost with a standby that lagged, is not the protocol's to keep.
void World::fail_over(int database) {
  Database& failed = databases_[static_cast<std::size_t>(database)];
  const auto before = failed.now.last;
  failed.fail_over();
  for (const auto& [key, version] : before) {
    const int left = failed.now.last[key];
    if (version == left) continue;
    auto& acknowledged = acknowledged_[static_cast<std::size_t>(key)];
    auto& seen = seen_[static_cast<std::size_t>(key)];
    if (!scenario_.lagging_standbys) continue;
    if (told_by_[static_cast<std::size_t>(key)] == database && acknowledged <= version)
      acknowledged = std::min(acknowledged, left);
    if (seen_at_[static_cast<std::size_t>(key)] == database && seen <= version)
      seen = std::min(seen, left);
  }
}

void World::check_end() {
  const int holder = decided_plan_ == 0 ? 0 : decided_plan_ == 1 ? 1 : 0;
  for (const Router& router : routers_)
    if (owner(router.generation) != holder)
      violate("a router is on a ring that is not the one in force");
  Database& owning = databases_[static_cast<std::size_t>(holder)];
  for (Key key = 0; key < kMovingKeys; ++key) {
    const int last = owning.now.last[key];
    if (last < acknowledged_[static_cast<std::size_t>(key)])
      violate("lost: key " + std::to_string(key) + " is version " + std::to_string(last) + ", " +
              std::to_string(acknowledged_[static_cast<std::size_t>(key)]) + " was acknowledged");
    const auto row = owning.now.rows.find(key);
    const bool there = row != owning.now.rows.end();
    if (there && row->second.version != last)
      violate("back from the dead: key " + std::to_string(key));
    if (!there && !owning.now.deleted.contains(key)) violate("gone: key " + std::to_string(key));
  }
}

/// deleteMany and updateObjects find rows by their id: two of one id, and another's row is gone.
void World::check_ids() {
  for (const Database& database : databases_) {
    const auto& rows = database.now.rows;
    for (auto row = rows.begin(); row != rows.end(); ++row)
      if (std::any_of(rows.begin(), row,
                      [&](const auto& other) { return other.second.id == row->second.id; }))
        violate("two rows have the id " + std::to_string(row->second.id));
  }
}

}  // namespace sim
