// One command of `moray-router fleet`: its session, and a change that it brings about.
#include "router/cli/fleet_command.hpp"

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "fleet/operator/ring_edit.hpp"
#include "router/cli/fleet_images.hpp"
#include "router/cli/fleet_plans.hpp"
#include "router/control/coordinator_lease.hpp"
#include "router/log/log.hpp"

namespace router::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kServiceWithin{10'000};

std::chrono::milliseconds ms(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 + 0.5));
}

}  // namespace

FleetCommand::FleetCommand(const FleetOptions& options) : given_(options) {
  const config::Parsed parsed = config::load_file(options.config_file);
  if (!parsed.problems.empty())
    throw std::runtime_error("problems in " + options.config_file + ":\n" +
                             config::to_text(parsed.problems));
  config_ = parsed.config;
  if (!config_.fleet.enabled()) throw std::runtime_error(options.config_file + " has no \"fleet\"");
  // A command is no member, and needs no id.
  if (config_.fleet.member.empty()) config_.fleet.member = "-";
  settings_ = std::make_unique<FleetSettings>(fleet_settings(config_));
}

void FleetCommand::connect() {
  operator_.reset();
  operator_ = std::make_unique<fleet::Operator>(loop_, sessions_of(*settings_, loop_),
                                                settings_->paths, kServiceWithin);
}

fleet::Operator& FleetCommand::service() {
  if (operator_ == nullptr) connect();
  return *operator_;
}

std::shared_ptr<const ring::Ring> FleetCommand::ring(const fleet::FleetView& view) {
  geometry_ = service().geometry();
  std::string why;
  try {
    return fleet::ring_from(service().image(view.state.ring.digest), geometry_);
  } catch (const std::exception& error) {
    why = error.what();
  }
  try {
    return ring_in_force({loop_, config_, *settings_, view, geometry_});
  } catch (const std::exception& error) {
    throw std::runtime_error(why + "; " + error.what() +
                             "; `fleet init DIR` with the ring in force puts its image there "
                             "again (each member's store has it)");
  }
}

FleetExit FleetCommand::publish(const fleet::FleetView& view,
                                const std::shared_ptr<const ring::Ring>& now,
                                const std::shared_ptr<const ring::Ring>& next,
                                const std::string& what, const std::optional<fleet::Edit>& edit) {
  if (next == nullptr || next->digest() == now->digest()) {
    if (given_.json)
      std::printf("%s\n", Json{{"done", true},
                               {"changed", false},
                               {"generation", view.state.ring.generation},
                               {"digest", view.state.ring.digest}}
                              .dump()
                              .c_str());
    else
      std::printf("nothing to change: ring %s is in force\n", now->digest().c_str());
    return FleetExit::done;
  }
  if (fleet::geometry_of(*next) != geometry_)
    throw std::runtime_error(
        "that ring has another number of vnodes, another algorithm or "
        "another interval than the fleet's");
  if (!given_.regardless_of_plans)
    if (const std::string why = against_plans(config_, *now, *next); !why.empty())
      throw std::runtime_error(why);
  const fleet::Image image = fleet::image_of(*next);
  std::optional<RingOffer> offer;  // until the change is closed
  if (image.bytes.size() <= config_.fleet.image_bytes_max)
    service().put(image);
  else if (!edit || !put_edit(service(), *edit, *next, image.bytes.size()))
    offer.emplace(FleetSurroundings{loop_, config_, *settings_, view, geometry_}, *now, *next,
                  image.bytes.size());
  const FleetExit ended =
      run(fleet::intent::Publish{next->digest(), fleet::needs_drain(*now, *next),
                                 view.state.ring.digest},
          what);
  if (offer && ended == FleetExit::unknown) offer->leave();
  return ended;
}

FleetExit FleetCommand::run(fleet::Intent intent, const std::string& what,
                            fleet::Ending::Kind ends_as) {
  fleet::CoordinatorOptions options;
  options.token = new_token();
  options.who = who();
  options.why = given_.why.empty() ? what : given_.why;
  options.lease = ms(given_.lease);
  options.prepare_limit = ms(given_.timeout);
  options.open_limit = ms(given_.wait);
  options.indeterminate_is_fine = given_.indeterminate_is_fine;
  const fleet::ChangeRun run =
      service().run(options, std::move(intent),
                    [](const std::string& told) { std::fprintf(stderr, "%s\n", told.c_str()); });
  const FleetExit ended = say(run, options.token, what, ends_as);
  service().tidy();
  return ended;
}

std::string FleetCommand::who() {
  const char* name = getlogin();
  const std::string user = name != nullptr ? name : "uid " + std::to_string(getuid());
  return user + "@" + host_name();
}

FleetExit FleetCommand::say(const fleet::ChangeRun& run, const std::string& token,
                            const std::string& what, fleet::Ending::Kind ends_as) const {
  using Kind = fleet::Ending::Kind;
  const auto in_ms = [](std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::milli>(time).count();
  };
  const bool done = run.ending.kind == ends_as;
  const bool unchanged = run.ending.kind == Kind::abandoned;
  if (given_.json) {
    Json out{{"done", done},
             {"changed", done},
             {"change", token},
             {"generation", run.state.ring.generation},
             {"digest", run.state.ring.digest},
             {"tookMs", in_ms(run.took)},
             {"activationMs", in_ms(run.activation)}};
    if (!run.missing.empty()) out["missing"] = run.missing;
    if (!done) out["why"] = run.ending.why;
    std::printf("%s\n", out.dump().c_str());
  } else if (done) {
    std::printf("%s: done in %.0f ms", what.c_str(), in_ms(run.took));
    if (run.activation.count() > 0)
      std::printf(", %.0f of them from the commit on", in_ms(run.activation));
    std::printf("\nring %llu %s, change %s\n",
                static_cast<unsigned long long>(run.state.ring.generation),
                run.state.ring.digest.c_str(), token.c_str());
    if (!run.missing.empty())
      std::printf(
          "not heard from yet: %s; they serve nothing of what has changed before they "
          "have it\n",
          run.missing.c_str());
  } else {
    std::fprintf(stderr, "moray-router: %s: %s%s\n", what.c_str(),
                 unchanged ? "nothing is changed: " : "", run.ending.why.c_str());
  }
  if (done) return FleetExit::done;
  return unchanged ? FleetExit::refused : FleetExit::unknown;
}

}  // namespace router::cli
