#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/requests.hpp"
#include "fleet/protocol/coordinator.hpp"
#include "fleet/protocol/requests.hpp"
#include "tests/sim/draws.hpp"
#include "tests/sim/fleet/ensemble.hpp"
#include "tests/sim/fleet_rules.hpp"
#include "tests/sim/ring.hpp"

namespace sim {

inline constexpr std::chrono::milliseconds kFleetTick{50};
inline constexpr int kFleetMembers = 2;

/// A connection with the service. Each request is carried out after a while, also where whoever has
/// sent it has ended or stopped; its answer may be lost.
struct FleetLink {
  fleet_sim::Session session;
  bool connected = false;
  long cut_until = 0, lost_at = 0;
};

template <typename Asked>
struct FleetFlight {
  Asked asked;
  int session = 0;
  long applied_at = 0, answered_at = 0;
  bool applied = false, lost = false;
  coordination::Outcome outcome = coordination::Outcome::unknown;
  std::size_t failed = 0;
  std::variant<std::monostate, fleet::Seen, fleet::Roster, std::map<std::string, fleet::Heard>>
      found;
};
using MemberFlight = FleetFlight<fleet::Request>;
using DriverFlight = FleetFlight<fleet::CoordinatorRequest>;

/// The service in which a simulated fleet agrees, and the images of its rings. Servers lag: a
/// session reads what is no older than what it has written.
class FleetService {
 public:
  FleetService(Draws& draws, const Ring& first);

  long now = 0, away_until = 0;
  bool calm = false;
  struct Done {
    int by_row = 0;     ///< rings that a member has put into force before the state said so
    int closed = 0;     ///< changes, by members
    int published = 0;  ///< by people
  };
  Done done;
  bool traces = false;  ///< tells what happens
  void say(const std::string& what) const {
    if (traces) std::printf("%6ld %s\n", now, what.c_str());
  }

  /// What has become of a connection since it was asked last.
  enum class Contact : std::uint8_t { same, lost, again, anew };
  Contact keep(FleetLink& link);
  [[nodiscard]] bool reaches(const FleetLink& link) const {
    return now >= link.cut_until && now >= away_until;
  }
  void lose(FleetLink& link);
  /// Its process has ended: the session lasts until nothing was heard of it for long enough.
  void end(FleetLink& link);
  template <typename Asked>
  FleetFlight<Asked> send(Asked asked, const FleetLink& link);
  /// Carried out where its time has come.
  void advance(int member, const std::string& incarnation, FleetLink& link, MemberFlight& flight);
  void advance(FleetLink& link, DriverFlight& flight);
  /// Of somebody who has ended: it may be done yet.
  void leave(int member, MemberFlight flight) { left_members_.emplace_back(member, flight); }
  void leave(DriverFlight flight) { left_.push_back(std::move(flight)); }
  void advance_left();

  [[nodiscard]] const fleet::State& state() const { return state_.head().value; }
  [[nodiscard]] const std::optional<fleet_sim::Versioned<fleet::Entry>>& entry(int member) const {
    return roster_[static_cast<std::size_t>(member)].head();
  }
  [[nodiscard]] bool lives(int member) const {
    return !live_[static_cast<std::size_t>(member)].head().incarnation.empty();
  }
  /// All members have the ring in force, as they have said.
  [[nodiscard]] bool all_have_ring() const;
  [[nodiscard]] bool has_open(const std::string& plan) const;

  fleet::RingName keep_image(const Ring& ring);
  [[nodiscard]] const Ring& image(const std::string& digest) const { return images_.at(digest); }
  [[nodiscard]] const Ring& ring() const { return image(state().ring.digest); }
  /// Vnodes on which two rings differ.
  [[nodiscard]] Vnodes between(const fleet::RingName& base, const fleet::RingName& next) const;
  std::string new_token() { return "t" + std::to_string(++tokens_); }
  /// What operators were told to have published.
  [[nodiscard]] const Ring& edited() const { return edited_; }

 private:
  template <typename T>
  using History = fleet_sim::History<T>;
  template <typename T>
  using Versioned = fleet_sim::Versioned<T>;
  using Outcome = coordination::Outcome;
  struct Live {
    std::string incarnation;
    int session = 0;
  };

  void expire(int session);
  [[nodiscard]] long view(fleet_sim::Session& session);
  void wrote(FleetLink& link);
  Outcome apply(int member, const std::string& incarnation, FleetLink& link, MemberFlight& flight);
  void apply(FleetLink& link, DriverFlight& flight);
  Outcome touch(int member, const std::string& incarnation, FleetLink& link,
                const fleet::ask::Touch& touch);
  Outcome write_entry(int member, const fleet::Entry& entry, std::int32_t version);
  Outcome write(const fleet::ask::Write& write);
  [[nodiscard]] fleet::Seen look(int member, fleet_sim::Session& session);
  [[nodiscard]] std::map<std::string, fleet::Heard> answers(fleet_sim::Session& session);

  Draws& draws_;
  long transaction_ = 0;
  int sessions_ = 0, tokens_ = 0;
  History<Versioned<fleet::State>> state_{{}};
  std::vector<History<std::optional<Versioned<fleet::Entry>>>> roster_;
  std::vector<History<std::optional<fleet::Answer>>> answers_;
  std::vector<History<Live>> live_;
  std::vector<std::pair<long, int>> ending_sessions_;
  std::vector<std::pair<int, MemberFlight>> left_members_;
  std::vector<DriverFlight> left_;
  std::map<std::string, Ring> images_;
  Ring edited_;
};

template <typename Asked>
FleetFlight<Asked> FleetService::send(Asked asked, const FleetLink& link) {
  FleetFlight<Asked> flight;
  flight.asked = std::move(asked);
  flight.session = link.session.number;
  flight.applied_at = now + draws_.any(!calm && draws_.chance(3) ? 60 : 3);
  flight.answered_at = flight.applied_at + draws_.any(3);
  flight.lost = !calm && draws_.chance(3);
  return flight;
}

/// As the roster names members.
inline std::string member_id(int member) { return "m" + std::to_string(member); }

}  // namespace sim
