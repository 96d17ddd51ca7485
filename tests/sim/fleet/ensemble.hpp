#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/requests.hpp"
#include "fleet/protocol/state.hpp"

namespace fleet_sim {

inline constexpr int kMembers = 4;

/// A node with all that it was, since servers that follow answer with the past.
template <typename T>
class History {
 public:
  explicit History(T first) { was_.emplace_back(0, std::move(first)); }
  [[nodiscard]] const T& head() const { return was_.back().second; }
  [[nodiscard]] const T& at(long transaction) const {
    std::size_t i = was_.size();
    while (was_[i - 1].first > transaction) --i;
    return was_[i - 1].second;
  }
  void set(long transaction, T value) { was_.emplace_back(transaction, std::move(value)); }

 private:
  std::vector<std::pair<long, T>> was_;
};

template <typename T>
struct Versioned {
  T value;
  int version = 0;
};

/// What the service keeps of a fleet.
struct Ensemble {
  long transaction = 0;
  History<Versioned<fleet::State>> state{{}};
  History<Versioned<fleet::Blocks>> blocks{{}};
  std::array<History<std::optional<Versioned<fleet::Entry>>>, kMembers> roster{
      History<std::optional<Versioned<fleet::Entry>>>{std::nullopt},
      History<std::optional<Versioned<fleet::Entry>>>{std::nullopt},
      History<std::optional<Versioned<fleet::Entry>>>{std::nullopt},
      History<std::optional<Versioned<fleet::Entry>>>{std::nullopt}};
  std::array<History<std::optional<fleet::Answer>>, kMembers> answers{
      History<std::optional<fleet::Answer>>{std::nullopt},
      History<std::optional<fleet::Answer>>{std::nullopt},
      History<std::optional<fleet::Answer>>{std::nullopt},
      History<std::optional<fleet::Answer>>{std::nullopt}};
  /// The incarnation that shows itself, and the session with which that ends.
  struct Live {
    std::string incarnation;
    int session = 0;
  };
  std::array<History<Live>, kMembers> live{History<Live>{{}}, History<Live>{{}}, History<Live>{{}},
                                           History<Live>{{}}};
};

/// A session of somebody's. What it reads is as new as what it has read and written before; beyond
/// that its server may lag.
struct Session {
  int number = 0;  ///< 0: none
  long seen = 0;
  long lag = 0;  ///< transactions
};

}  // namespace fleet_sim
