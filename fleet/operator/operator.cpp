#include "fleet/operator/operator.hpp"

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

#include "fleet/agent/coordinator_agent.hpp"
#include "fleet/images/edit.hpp"
#include "fleet/operator/failed.hpp"
#include "fleet/protocol/text.hpp"
#include "fleet/service/found.hpp"
#include "fleet/service/history.hpp"
#include "fleet/service/image_nodes.hpp"

namespace fleet {
namespace {

using coordination::Check;
using coordination::Create;
using coordination::Node;
using coordination::Outcome;
using coordination::Remove;
using coordination::Session;

constexpr std::size_t kStepsKept = 200;
constexpr std::chrono::milliseconds kImageWithin{60'000};  // of a service that is busy
constexpr std::chrono::milliseconds kTidyWithin{2'000};    // nobody waits for it
constexpr std::chrono::seconds kToldAfter{2};              // for whom a change waits

std::chrono::nanoseconds steady() { return std::chrono::steady_clock::now().time_since_epoch(); }
std::int64_t unix_time() { return static_cast<std::int64_t>(std::time(nullptr)); }

void require_size(const Image& image) {
  if (image.bytes.size() > kImageNodesBytesMost)
    throw OperatorError("the ring's image has " + std::to_string(image.bytes.size()) +
                        " bytes, and the service takes " + std::to_string(kImageNodesBytesMost));
}

}  // namespace

void fail(const std::string& what, Outcome outcome, bool changes) {
  if (outcome == Outcome::denied)
    throw OperatorRefused(what + ": the service refuses these credentials");
  if (outcome == Outcome::unknown)
    throw OperatorError(
        what + (changes ? ": the connection was lost; nobody knows whether it was done"
                        : ": the connection was lost"),
        changes);
  throw OperatorError(what + ": " + std::string(to_string(outcome)));
}

Operator::Operator(boost::asio::io_context& loop, MakeSession make, Paths paths,
                   std::chrono::milliseconds limit)
    : loop_(loop), make_(std::move(make)), paths_(std::move(paths)), limit_(limit) {
  try {
    session_ = make_();
  } catch (const std::exception& error) {
    throw OperatorError(error.what());
  }
  wait([this] { return session_->state() != Session::State::connecting; }, "the connection");
  if (session_->state() == Session::State::denied)
    throw OperatorRefused("the service refuses these credentials");
}

void Operator::wait(const std::function<bool()>& there, const char* what,
                    std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!there()) {
    if (std::chrono::steady_clock::now() >= until)
      throw OperatorError(std::string(what) + ": the service has not answered within " +
                          std::to_string(limit.count()) + " ms");
    if (loop_.stopped()) loop_.restart();
    loop_.run_one_until(until);
  }
}

std::optional<Node> Operator::read(const std::string& path) {
  const auto got = std::make_shared<std::optional<std::pair<Outcome, Node>>>();
  session_->get(path, nullptr,
                [got](Outcome outcome, Node node) { got->emplace(outcome, std::move(node)); });
  wait([&] { return got->has_value(); }, path.c_str());
  const Outcome outcome = (*got)->first;
  if (outcome == Outcome::no_node) return std::nullopt;
  if (outcome != Outcome::done) fail(path, outcome);
  return std::move((*got)->second);
}

std::vector<std::string> Operator::names(const std::string& path) {
  const auto got = std::make_shared<std::optional<std::pair<Outcome, std::vector<std::string>>>>();
  session_->children(path, nullptr, [got](Outcome outcome, std::vector<std::string> all) {
    got->emplace(outcome, std::move(all));
  });
  wait([&] { return got->has_value(); }, path.c_str());
  if ((*got)->first != Outcome::done) fail(path, (*got)->first);
  return std::move((*got)->second);
}

Outcome Operator::write(std::vector<coordination::Write> writes) {
  const auto done = std::make_shared<std::optional<Outcome>>();
  session_->transact(std::move(writes), [done](Outcome outcome, std::size_t) { *done = outcome; });
  try {
    wait([&] { return done->has_value(); }, "a write");
  } catch (const OperatorError&) {
    return Outcome::unknown;
  }
  return **done;
}

/// What is read after it is as new as this.
void Operator::touch() {
  const Outcome outcome = write({Check{paths_.state(), coordination::kAnyVersion}});
  if (outcome == Outcome::no_node) {
    if (read(paths_.blocks())) throw NoFleet(paths_.what_is_missing(false, true));
    throw NoFleet("there is no fleet at " + paths_.root() +
                  "; `moray-router fleet init` makes one, `fleet reinit` where it was lost");
  }
  if (outcome != Outcome::done) fail(paths_.state(), outcome);
}

void Operator::found(const RingName& ring, const Geometry& geometry,
                     const std::optional<Image>& image) {
  if (image) require_size(*image);
  const Outcome parent = write({Create{Paths::parent(), "", false, false}});
  if (parent != Outcome::done && parent != Outcome::exists) fail(Paths::parent(), parent);
  const Outcome made = write(founding(paths_, ring, to_text(geometry)));
  if (made == Outcome::exists) {
    const FleetView there = look();
    if (there.state.ring.digest != ring.digest)
      throw OtherRing("there is a fleet at " + paths_.root() + " already, whose ring is " +
                      there.state.ring.digest + " by now");
  } else if (made != Outcome::done) {
    fail(paths_.root(), made, true);
  }
  if (image) put(*image);
}

Geometry Operator::geometry() {
  const auto root = read(paths_.root());
  if (!root) throw OperatorError("there is no fleet at " + paths_.root());
  try {
    return geometry_from(root->value);
  } catch (const std::invalid_argument& error) {
    throw OperatorError(error.what());
  }
}

FleetView Operator::look() {
  touch();
  FleetView view;
  const auto state = read(paths_.state()), blocks = read(paths_.blocks());
  if (!state || !blocks)
    throw OperatorError(paths_.what_is_missing(state.has_value(), blocks.has_value()));
  try {
    view.state = state_from(state->value);
    view.version = state->version;
    view.blocks = blocks_from(blocks->value);
  } catch (const Unreadable& error) {
    throw OperatorError(paths_.root() + ": " + error.what());
  }
  for (const std::string& id : names(paths_.roster()))
    if (const auto entry = read(paths_.entry(id))) view.members[id] = read_member(id, *entry);
  return view;
}

/// One that can't be read is shown, so that it can be removed.
MemberView Operator::read_member(const std::string& id, const Node& entry) {
  MemberView member;
  member.version = entry.version;
  if (const auto live = read(paths_.live(id))) member.lives = live->value;
  try {
    member.entry = entry_from(entry.value);
    if (const auto answer = read(paths_.answer(id))) member.answer = answer_from(answer->value);
  } catch (const Unreadable& error) {
    member.problem = error.what();
  }
  return member;
}

Image Operator::image(const std::string& digest) {
  const auto got = std::make_shared<std::optional<ImageOutcome>>();
  get_image(*session_, paths_, digest, [got](ImageOutcome outcome) { *got = std::move(outcome); });
  wait([&] { return got->has_value(); }, "an image");
  ImageOutcome image = **got;
  if (image.why.empty()) image.why = to_string(image.outcome);
  if (image.outcome != Outcome::done)
    throw OperatorError("the image of " + digest + ": " + image.why);
  return {digest, std::move(image.bytes)};
}

/// What is there by that name may have been changed by hand, or be an edit of another ring: it is
/// read back.
void Operator::put(const Image& image) {
  require_size(image);
  for (const bool anew : {false, true}) {
    const auto done = std::make_shared<std::optional<ImageOutcome>>();
    put_image(*session_, paths_, image.digest, image.bytes, unix_time(), anew,
              [done](ImageOutcome outcome) { *done = std::move(outcome); });
    wait([&] { return done->has_value(); }, "an image", kImageWithin);
    const std::string what = "the image of " + image.digest;
    if ((*done)->outcome != Outcome::done && !(*done)->why.empty())
      throw OperatorError(what + ": " + (*done)->why);
    if ((*done)->outcome != Outcome::done) fail(what, (*done)->outcome);
    const auto back = std::make_shared<std::optional<ImageOutcome>>();
    get_image(*session_, paths_, image.digest,
              [back](ImageOutcome outcome) { *back = std::move(outcome); });
    wait([&] { return back->has_value(); }, "an image", kImageWithin);
    if ((*back)->outcome == Outcome::done && stands_for((*back)->bytes, image)) return;
    if (anew) throw OperatorError(what + " can't be read back: " + (*back)->why);
  }
}

ChangeRun Operator::run(CoordinatorOptions options, Intent intent,
                        const std::function<void(const std::string&)>& told) {
  ChangeRun run;
  std::optional<Ending> ended;
  const auto began = steady();
  std::chrono::nanoseconds committed{};
  options.opened_at = unix_time();
  CoordinatorAgent agent(loop_, make_, paths_, std::move(options), std::move(intent),
                         {[&](Ending ending) { ended = std::move(ending); }, told}, steady);
  agent.start();
  std::string said;
  while (!ended) {
    if (loop_.stopped()) loop_.restart();
    loop_.run_one_for(std::chrono::seconds(1));
    const Coordinator& coordinator = agent.coordinator();
    const auto& change = coordinator.state().change;
    if (change && change->stage == Stage::activate && committed == std::chrono::nanoseconds(0))
      committed = steady();
    if (steady() - began < kToldAfter) continue;
    const std::string now = coordinator.waits_for();
    if (now != std::exchange(said, now) && !now.empty()) told("waiting for " + now);
  }
  run.ending = *ended;
  run.state = agent.coordinator().state();
  run.took = steady() - began;
  if (run.ending.kind == Ending::Kind::committed) run.missing = agent.coordinator().waits_for();
  if (committed != std::chrono::nanoseconds(0)) run.activation = steady() - committed;
  return run;
}

std::vector<std::string> Operator::history() {
  touch();
  std::vector<std::string> steps;
  for (const std::string& name : names(paths_.history()))
    if (auto step = read(paths_.history() + "/" + name)) steps.push_back(std::move(step->value));
  return steps;
}

void Operator::tidy() {
  try {
    tidy_within(kTidyWithin);
  } catch (const OperatorError&) {
    return;  // the next command does it
  }
}

void Operator::tidy_within(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto steps = names(paths_.history());
  for (std::size_t i = 0; i + kStepsKept < steps.size(); ++i) {
    if (std::chrono::steady_clock::now() > until) return;
    static_cast<void>(
        write({Remove{paths_.history() + "/" + steps[i], coordination::kAnyVersion}}));
  }
  const auto state = read(paths_.state()), blocks = read(paths_.blocks());
  if (!state || !blocks) return;
  std::set<std::string> needed;
  try {
    const State now = state_from(state->value);
    if (now.change) return;
    needed.insert(now.ring.digest);
    for (const Block& block : blocks_from(blocks->value)) needed.insert(block.vnodes);
  } catch (const Unreadable&) {
    return;
  }
  const auto done = std::make_shared<bool>(false);
  tidy_images(
      *session_, paths_,
      {state->version, [needed](const std::string& digest) { return needed.contains(digest); },
       unix_time(), [done] { *done = true; }});
  wait([&] { return *done; }, "images", limit);
}

}  // namespace fleet
