#include "reshard/fleet/cutover.hpp"

#include <utility>

namespace reshard {
namespace {

std::chrono::nanoseconds steady() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

Cutover::Cutover(boost::asio::io_context& loop, fleet::MakeSession session, fleet::Paths paths,
                 fleet::CoordinatorOptions options, fleet::intent::Cutover intent, fleet::Aim first)
    : loop_(loop),
      agent_(loop, std::move(session), std::move(paths), std::move(options), std::move(intent),
             {[this](fleet::Ending ending) { ended_ = std::move(ending); },
              [this](const std::string& problem) { problem_ = problem; }},
             steady) {
  agent_.aim(first);
  agent_.start();
}

Cutover::Came Cutover::bring(fleet::Aim aim, std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  agent_.aim(aim);
  for (;;) {
    if (ended_) return Came::ended;
    if (agent_.coordinator().reached()) return Came::reached;
    if (!agent_.coordinator().refusal().empty()) return Came::refused;
    if (std::chrono::steady_clock::now() >= until) return Came::late;
    if (loop_.stopped()) loop_.restart();
    loop_.run_one_until(until);
  }
}

std::string Cutover::waits_for() const {
  const fleet::Coordinator& coordinator = agent_.coordinator();
  if (!coordinator.refusal().empty()) return coordinator.refusal();
  if (!silent().empty()) return "no answer from " + silent();
  if (!coordinator.waits_for().empty()) return coordinator.waits_for();  // another change
  return problem_.empty() ? "the service does not answer" : problem_;
}

std::string Cutover::silent() const {
  const fleet::Coordinator& coordinator = agent_.coordinator();
  return coordinator.state().change ? coordinator.waits_for() : "";
}

}  // namespace reshard
