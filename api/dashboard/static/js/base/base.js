// The prefix before every path of Orpheus, behind a proxy ([api] root_path); mostly empty.

export const base = document.documentElement.dataset.base ?? "";
