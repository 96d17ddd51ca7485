// Whether vnodes are a pnode's here, and which reads are under way that were planned so.
#include "router/serve/ownership.hpp"

#include "backends/postgres/wire/application_name.hpp"
#include "router/admin/command.hpp"

namespace router::admin {
namespace {

void ownership(const AdminActions& actions, const Json& arguments, const Answer& answer) {
  const ring::VnodeSet wanted = vnodes(arguments);
  const std::string pnode = required_text(arguments, "pnode");
  if (wanted.empty()) throw Refusal("bad_argument", "no vnodes are named");
  const auto workers = actions.reads();
  if (!workers) throw Refusal("failed", "a worker has not answered: by what it plans is not known");
  const auto published = actions.control->publisher().current();
  const Ownership found = router::ownership(*published->snapshot, *workers, wanted, pnode,
                                            std::chrono::steady_clock::now());
  Json result{{"digest", published->snapshot->ring->digest()}, {"owned", !found.other}};
  if (found.other) result["other"] = {{"vnode", found.other->vnode}, {"pnode", found.other->pnode}};
  result["none"] = found.none;
  result["ownedVnodes"] = found.owned.to_text();
  result["reads"] = {{"underWay", found.reads}, {"oldestMs", found.oldest_read.count()}};
  result["olderReads"] = found.older_reads;
  result["pnodeVnodes"] = found.pnode_vnodes;
  result["application"] = backends::postgres::application_name();
  answer(std::move(result));
}

}  // namespace

void add_ownership(Commands& all) { all["ownership"] = {ownership, {"vnodes", "pnode"}}; }

}  // namespace router::admin
