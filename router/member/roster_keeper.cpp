#include "router/member/roster_keeper.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "fleet/protocol/text.hpp"
#include "json/nesting.hpp"
#include "ring/durable_file.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kSoon{2'000}, kEach{60'000};

std::filesystem::path roster_file(const std::filesystem::path& store) {
  return store / "member.roster";
}

}  // namespace

RosterKeeper::RosterKeeper(boost::asio::io_context& loop, fleet::Paths paths,
                           std::filesystem::path store, std::function<bool()> follows, Log& log)
    : paths_(std::move(paths)), file_(roster_file(store)), follows_(std::move(follows)), log_(log),
      timer_(loop) {
  try {
    for (const auto& [id, entry] : kept_roster(store)) ids_.push_back(id);
  } catch (const std::exception& error) {
    log_.warn("the fleet's roster of an earlier process is no use", {{"reason", error.what()}});
  }
}

void RosterKeeper::session(coordination::Session* session) {
  session_ = session;
  ++sessions_;
  timer_.cancel();
  if (session_ != nullptr) read_after(kSoon);
}

void RosterKeeper::read_after(std::chrono::milliseconds most) {
  std::uniform_int_distribution<std::int64_t> within(most.count() / 2, most.count());
  timer_.expires_after(std::chrono::milliseconds(within(random_)));
  timer_.async_wait(
      [this, alive = std::weak_ptr<char>(alive_)](const boost::system::error_code& error) {
        if (!error && !alive.expired() && session_ != nullptr) read();
      });
}

void RosterKeeper::read() {
  fleet::read_roster(*session_, paths_,
                     [this, number = sessions_, alive = std::weak_ptr<char>(alive_)](
                         coordination::Outcome outcome, const fleet::Roster& roster) {
                       if (alive.expired() || number != sessions_) return;
                       if (outcome == coordination::Outcome::done) keep(roster);
                       read_after(kEach);
                     });
}

void RosterKeeper::keep(const fleet::Roster& roster) {
  if (!follows_()) return;
  foreign_ = 0;
  for (const auto& [id, entry] : roster)
    if (entry.foreign && !entry.foreign->stopped) ++foreign_;
  if (roster == kept_) return;
  Json members = Json::object();
  for (const auto& [id, entry] : roster) members[id] = Json::parse(fleet::to_text(entry));
  try {
    ring::durable::write(file_, Json{{"v", fleet::kForm}, {"members", std::move(members)}}.dump());
    kept_ = roster;
    ids_.clear();
    for (const auto& [id, entry] : roster) ids_.push_back(id);
  } catch (const std::exception& error) {
    log_.warn("the fleet's roster can't be kept", {{"reason", error.what()}});
  }
}

fleet::Roster kept_roster(const std::filesystem::path& store) {
  const std::filesystem::path file = roster_file(store);
  std::ifstream in(file, std::ios::binary);
  if (!in) return {};
  const std::string text(std::istreambuf_iterator<char>(in), {});
  try {
    fleet::Roster roster;
    const auto whole = json::parse_bounded<Json>(text);
    for (const auto& [id, entry] : whole.at("members").items())
      roster[id] = fleet::entry_from(entry.dump());
    return roster;
  } catch (const std::exception& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
}

}  // namespace router
